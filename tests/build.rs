//! The exercises are part of the program: a new file makes a new program.

fn main() {
    println!("cargo:rerun-if-changed=exercises");
}
