//! What the server's threads do and wait for, from their system calls.

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Watch;
#[cfg(target_os = "linux")]
pub use linux::Watch;

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use crate::show::log::Log;
    use crate::show::playing::Ports;
    use crate::show::recording::Thread;
    use std::collections::HashMap;
    use std::sync::Arc;

    pub struct Watch;

    impl Watch {
        pub fn attach(_: u32, _: &Arc<Log>, _: &Ports) -> Result<Watch, String> {
            Err("this system lets no program watch the system calls of another: the server is drawn \
                 as one line (Linux shows its threads)"
                .to_string())
        }

        pub fn end(self, _: &HashMap<u16, String>, _: &Log) -> (Vec<Thread>, String, usize) {
            (Vec::new(), String::new(), 0)
        }
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use crate::compare::system_calls::{threads, watch};
    use crate::show::descriptors::{Descriptor, Descriptors};
    use crate::show::log::Log;
    use crate::show::playing::Ports;
    use crate::show::recording::{Thread, What};
    use crate::show::words::{Raw, describe, is_worth_a_mark};
    use nix::libc;
    use nix::sys::ptrace;
    use nix::unistd::Pid;
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, MutexGuard};

    /// Calls that are kept of one run.
    const CALLS_MAX: usize = 20_000;

    pub struct Watch {
        seen: Arc<Mutex<Seen>>,
    }

    struct Seen {
        process: Pid,
        log: Arc<Log>,
        descriptors: Descriptors,
        /// Ended calls, in the order of their end.
        calls: Vec<Raw>,
        /// What each thread is in now.
        open: HashMap<i32, Raw>,
        /// Who has woken whoever waits at an address in memory, and when.
        woken: HashMap<u64, (u64, i32)>,
        wakes: Vec<(u64, i32, i32)>,
        cut: usize,
    }

    impl Watch {
        pub fn attach(process: u32, log: &Arc<Log>, _: &Ports) -> Result<Watch, String> {
            let pid = Pid::from_raw(process as i32);
            let seen = Arc::new(Mutex::new(Seen::new(pid, log)));
            let writer = Arc::clone(&seen);
            let note = move |thread: Pid| lock(&writer).note(thread);
            watch(process, note).map_err(|error| format!("{error:#}"))?;
            Ok(Watch { seen })
        }

        /// Writes all calls into the log. Gives the threads, where this comes from, and how many
        /// calls are missing.
        pub fn end(self, ports: &HashMap<u16, String>, log: &Log) -> (Vec<Thread>, String, usize) {
            let mut seen = lock(&self.seen);
            let now = log.now();
            let waiting: Vec<Raw> = seen.open.values().cloned().collect();
            let unfinished = waiting.into_iter().map(|call| Raw { at: now, ..call });
            seen.calls.extend(unfinished);
            let shown = seen.shown_threads(ports);
            let others = threads(seen.process).len().saturating_sub(shown.len());
            for raw in seen.calls.iter().filter(|raw| shown.iter().any(|it| it.id == raw.thread)) {
                log.write_at(raw.at, What::Call(describe(raw, ports)));
            }
            for (at, from, to) in &seen.wakes {
                log.write_at(*at, What::Wakes { from: *from, to: *to });
            }
            let mut source =
                "from the kernel (ptrace): each system call of each thread. Between two \
                 calls a thread runs, or waits for its turn on a processor: that looks alike here"
                    .to_string();
            if others > 0 {
                source += &format!(
                    ". {others} more threads of the program touched no socket and no lock of these, \
                     and are not drawn"
                );
            }
            (shown, source, seen.cut)
        }
    }

    impl Seen {
        fn new(process: Pid, log: &Arc<Log>) -> Seen {
            Seen {
                process,
                log: Arc::clone(log),
                descriptors: Descriptors::new(process.as_raw()),
                calls: Vec::new(),
                open: HashMap::new(),
                woken: HashMap::new(),
                wakes: Vec::new(),
                cut: 0,
            }
        }

        /// A thread stops twice for each call. While it stops, its registers can be read.
        fn note(&mut self, thread: Pid) {
            let Ok(info) = ptrace::syscall_info(thread) else { return };
            let Some((number, arguments, result)) = registers(thread) else { return };
            match info.op {
                libc::PTRACE_SYSCALL_INFO_ENTRY => self.begins(thread, number, arguments),
                libc::PTRACE_SYSCALL_INFO_EXIT => self.ends(thread, number, arguments, result),
                _ => {}
            }
        }

        fn begins(&mut self, thread: Pid, number: i64, arguments: [u64; 6]) {
            let began = self.log.now();
            let descriptor = self.descriptors.of_call(number, arguments[0]);
            if number == libc::SYS_futex && is_wake(arguments[1]) {
                self.woken.insert(arguments[0], (began, thread.as_raw()));
            }
            if number == libc::SYS_close {
                self.descriptors.forget(arguments[0]);
            }
            let thread = thread.as_raw();
            let raw = Raw { thread, began, at: began, number, arguments, result: None, descriptor };
            self.open.insert(thread, raw);
        }

        /// A call that had begun before we came has no beginning here: it gets the log's.
        fn ends(&mut self, thread: Pid, number: i64, arguments: [u64; 6], result: i64) {
            let (at, thread) = (self.log.now(), thread.as_raw());
            let descriptor = self.descriptors.of_call(number, arguments[0]);
            let new = Raw { thread, began: 0, at, number, arguments, result: None, descriptor };
            let mut raw = self.open.remove(&thread).unwrap_or(new);
            (raw.at, raw.result) = (at, Some(result));
            if matches!(number, libc::SYS_accept | libc::SYS_accept4) && result >= 0 {
                self.descriptors.forget(result as u64);
                raw.descriptor = self.descriptors.at(result as u64);
            }
            if number == libc::SYS_futex && !is_wake(raw.arguments[1]) {
                self.note_wake(&raw);
            }
            if !is_worth_a_mark(&raw) {
                return;
            }
            match self.calls.len() < CALLS_MAX {
                true => self.calls.push(raw),
                false => self.cut += 1,
            }
        }

        fn note_wake(&mut self, raw: &Raw) {
            let woken = self.woken.get(&raw.arguments[0]).copied();
            if let Some((when, by)) =
                woken.filter(|(when, by)| *when >= raw.began && *by != raw.thread)
            {
                self.wakes.push((raw.at.max(when), by, raw.thread));
            }
        }

        /// Those that have touched a socket, or were woken by one who has.
        fn shown_threads(&self, ports: &HashMap<u16, String>) -> Vec<Thread> {
            let mut shown: Vec<i32> = Vec::new();
            for raw in &self.calls {
                let touches = matches!(
                    raw.descriptor,
                    Some(Descriptor::Socket(_) | Descriptor::Listener | Descriptor::Console)
                );
                if touches && !shown.contains(&raw.thread) {
                    shown.push(raw.thread);
                }
            }
            let is_main = |id: &i32| *id == self.process.as_raw();
            shown.sort_by_key(|id| (!is_main(id), *id));
            shown
                .into_iter()
                .map(|id| Thread { id, name: with_names(&self.name(id), ports) })
                .collect()
        }

        fn name(&self, thread: i32) -> String {
            if thread == self.process.as_raw() {
                return "main".to_string();
            }
            let path = format!("/proc/{}/task/{thread}/comm", self.process);
            let name = std::fs::read_to_string(path).unwrap_or_default();
            match name.trim() {
                "" => format!("thread {thread}"),
                name => name.to_string(),
            }
        }
    }

    /// Programs like to name a thread after a port: a person is easier to find.
    fn with_names(thread: &str, ports: &HashMap<u16, String>) -> String {
        let person = |word: &str| ports.get(&word.parse().ok()?).cloned();
        let words = thread.split(' ').map(|word| person(word).unwrap_or(word.to_string()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// `FUTEX_WAKE` and `FUTEX_WAKE_BITSET`, with or without the flags above them.
    fn is_wake(operation: u64) -> bool {
        matches!(operation & 0x7f, 1 | 10)
    }

    #[cfg(target_arch = "x86_64")]
    fn registers(thread: Pid) -> Option<(i64, [u64; 6], i64)> {
        let regs = ptrace::getregs(thread).ok()?;
        let arguments = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
        Some((regs.orig_rax as i64, arguments, regs.rax as i64))
    }

    /// After the call the first register holds its result, and no longer the first argument.
    #[cfg(target_arch = "aarch64")]
    fn registers(thread: Pid) -> Option<(i64, [u64; 6], i64)> {
        let regs = ptrace::getregs(thread).ok()?.regs;
        let arguments = [regs[0], regs[1], regs[2], regs[3], regs[4], regs[5]];
        Some((regs[8] as i64, arguments, regs[0] as i64))
    }

    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn registers(_: Pid) -> Option<(i64, [u64; 6], i64)> {
        None
    }

    fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
        seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
