//! Counts the system calls of a process the way strace does: the kernel stops each of its
//! threads at each call, and tells us. That makes the process slow, so it is never done while
//! time is measured; how many calls a piece of work takes hardly depends on time.

use anyhow::Context;
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// Calls since the counter was attached, by number.
pub type Counts = BTreeMap<i64, u64>;

#[derive(Debug)]
pub struct Counter {
    counts: Arc<Mutex<Counts>>,
}

impl Counter {
    /// Counts the calls of all threads of `process`, which leads a process group, from now on
    /// until its end.
    pub fn attach(process: u32) -> anyhow::Result<Counter> {
        let counts = Arc::new(Mutex::new(Counts::new()));
        let writer = Arc::clone(&counts);
        watch(process, move |thread| note(process, thread, &writer))?;
        Ok(Counter { counts })
    }

    pub fn counts(&self) -> Counts {
        self.counts.lock().expect("no code panics while it holds the counts").clone()
    }
}

/// From now on `stopped` is called with each thread of `process` (which leads a process group) that
/// begins or ends a system call, until the process has ended.
pub fn watch(process: u32, stopped: impl FnMut(Pid) + Send + 'static) -> anyhow::Result<()> {
    let (attached, answer) = channel();
    // All requests have to come from the thread that attached.
    thread::spawn(move || follow(Pid::from_raw(process as i32), stopped, &attached));
    let answer = answer.recv().unwrap_or(Err(Errno::ESRCH));
    answer.context("this system lets no program watch the system calls of another")
}

/// Runs until the process has ended, and with it the last of its threads.
fn follow(process: Pid, mut stopped: impl FnMut(Pid), attached: &Sender<nix::Result<()>>) {
    let mut to_stop = match seize_all(process) {
        Ok(threads) => threads,
        Err(error) => {
            let _ = attached.send(Err(error)); // `attach` waits for it
            return;
        }
    };
    let group = Pid::from_raw(-process.as_raw());
    while let Ok(status) = waitpid(group, Some(WaitPidFlag::__WALL)) {
        let signal = match status {
            WaitStatus::PtraceSyscall(thread) => {
                stopped(thread);
                None
            }
            WaitStatus::Stopped(_, Signal::SIGTRAP) => None,
            WaitStatus::Stopped(_, signal) => Some(signal), // it was meant for the process
            _ => None,
        };
        if let Some(thread) = status.pid() {
            let _ = ptrace::syscall(thread, signal); // fails if it has ended meanwhile
            if to_stop.remove(&thread) && to_stop.is_empty() {
                let _ = attached.send(Ok(()));
            }
        }
    }
}

/// Every thread that there is; those that it starts later come by themselves.
fn seize_all(process: Pid) -> nix::Result<HashSet<Pid>> {
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE;
    let mut seized = HashSet::new();
    loop {
        let before = seized.len();
        for thread in threads(process) {
            if !seized.contains(&thread) && ptrace::seize(thread, options).is_ok() {
                ptrace::interrupt(thread)?; // stops it, so that it can be told to report calls
                seized.insert(thread);
            }
        }
        if seized.is_empty() {
            return Err(Errno::EPERM);
        }
        if seized.len() == before {
            return Ok(seized);
        }
    }
}

pub fn threads(process: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let number = |task: std::fs::DirEntry| task.file_name().to_str()?.parse().ok();
    tasks.filter_map(number).map(Pid::from_raw).collect()
}

/// A thread stops twice for each call: when it begins it and when it ends it.
fn note(process: u32, thread: Pid, counts: &Mutex<Counts>) {
    let begins =
        ptrace::syscall_info(thread).is_ok_and(|info| info.op == libc::PTRACE_SYSCALL_INFO_ENTRY);
    if begins {
        let text = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall"));
        let text = text.unwrap_or_default();
        let number = text.split(' ').next().and_then(|number| number.parse().ok());
        let mut counts = counts.lock().expect("as in counts");
        *counts.entry(number.unwrap_or(-1)).or_default() += 1;
    }
}

/// The calls that a chat server makes, by name; `None`: another one.
pub fn name(number: i64) -> Option<&'static str> {
    Some(match number {
        libc::SYS_recvfrom => "recv",
        libc::SYS_sendto => "send",
        libc::SYS_recvmsg => "recvmsg",
        libc::SYS_sendmsg => "sendmsg",
        libc::SYS_read => "read",
        libc::SYS_readv => "readv",
        libc::SYS_write => "write",
        libc::SYS_writev => "writev",
        libc::SYS_epoll_pwait => "epoll_pwait",
        libc::SYS_epoll_ctl => "epoll_ctl",
        libc::SYS_futex => "futex",
        libc::SYS_sched_yield => "sched_yield",
        libc::SYS_mmap => "mmap",
        libc::SYS_munmap => "munmap",
        libc::SYS_madvise => "madvise",
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => "epoll_wait",
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => "poll",
        _ => return None,
    })
}
