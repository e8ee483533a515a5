//! Counts what any program allocates. `LD_PRELOAD` puts these functions before those of the C
//! library, which Rust's programs use; the count lies in a file that others can read meanwhile.
//!
//! The one place of the kit with unsafe code: functions of the C library can be replaced only by
//! functions of that kind. Linux with the GNU library; elsewhere this is empty.

#![allow(unsafe_code)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use nix::libc::{self, c_int, c_void, size_t};
use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Names the file: eight bytes, the count in the byte order of the machine.
const FILE: &str = "LAB_ALLOCATIONS";

/// What is allocated before `start` has run is not counted.
static COUNT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// The loader calls what this section names before `main`.
#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else {
        return;
    };
    let (bytes, access) = (size_of::<AtomicU64>(), libc::PROT_READ | libc::PROT_WRITE);
    // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
    let mapped = unsafe {
        let (any, file) = (ptr::null_mut(), file.as_raw_fd());
        libc::mmap(any, bytes, access, libc::MAP_SHARED, file, 0)
    };
    if mapped != libc::MAP_FAILED {
        COUNT.store(mapped.cast(), Ordering::Release);
    }
}

fn count() {
    // SAFETY: either null or a mapping of the right size and alignment that is never undone.
    if let Some(count) = unsafe { COUNT.load(Ordering::Acquire).as_ref() } {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

// The GNU library offers its own functions under these names as well.
unsafe extern "C" {
    fn __libc_malloc(size: size_t) -> *mut c_void;
    fn __libc_calloc(count: size_t, size: size_t) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, size: size_t) -> *mut c_void;
    fn __libc_memalign(alignment: size_t, size: size_t) -> *mut c_void;
}

/// # Safety
/// As that of the C library, like all of these: they pass on what they are given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    count();
    unsafe { __libc_malloc(size) }
}

/// # Safety
/// As `malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(number: size_t, size: size_t) -> *mut c_void {
    count();
    unsafe { __libc_calloc(number, size) }
}

/// # Safety
/// As `malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(old: *mut c_void, size: size_t) -> *mut c_void {
    count();
    unsafe { __libc_realloc(old, size) }
}

/// # Safety
/// As `malloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    place: *mut *mut c_void,
    alignment: size_t,
    size: size_t,
) -> c_int {
    count();
    let memory = unsafe { __libc_memalign(alignment, size) };
    if memory.is_null() {
        return libc::ENOMEM;
    }
    unsafe { place.write(memory) };
    0
}
