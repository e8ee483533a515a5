//! Layer: the rare faults. What a thread costs, and how many of them this machine has.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Bytes of one thread's stack. It is reserved as a whole and paid for (in pages of 4 KiB) as
/// far as it is used; the usual 2 MiB would reserve 40 GB for ten thousand clients.
const STACK_BYTES: usize = 64 * 1024;

/// Memory mappings of one thread: a stack, a stack for signals, and a page in front of either that
/// catches an overflow.
const MAPS_PER_THREAD: usize = 4;

/// Memory mappings left for the program itself.
const MAPS_RESERVED: usize = 1000;

/// The threads of all clients.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Starts a thread, which `ps -T` and `top -H` call `name`. An error means that the machine has none
/// left. Nobody joins the thread: it cleans up after itself.
pub fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let running = Running::new()?;
    let work = move || {
        let _running = running; // until it ends, however it ends
        work();
    };
    thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// One thread that lives.
struct Running;

impl Running {
    fn new() -> io::Result<Running> {
        let running = Running; // before it is counted: its drop takes the count back, also below
        if RUNNING.fetch_add(1, Ordering::Relaxed) >= threads_max() {
            return Err(io::Error::other("a higher vm.max_map_count allows more threads"));
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many threads this machine can give to clients, where it is known to bound that.
///
/// Most limits make starting a thread an error, which is easily handled. This one does not: Linux
/// bounds the memory mappings of a process, and a thread that gets its stack but not the page that
/// guards it ends the whole program inside the standard library.
fn threads_max() -> usize {
    let maps = fs::read_to_string("/proc/sys/vm/max_map_count");
    let maps: Option<usize> = maps.ok().and_then(|text| text.trim().parse().ok());
    maps.map_or(usize::MAX, |maps| maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_THREAD)
}
