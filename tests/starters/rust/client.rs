//! %task%
//!
//! Run it:    cargo run -p stage4-threads -- server 127.0.0.1 8004      (in the kit)
//!            and in another terminal: cargo run -- 127.0.0.1 8004      (here)
//! Check it:  %check%
//! Read:      %page% (the task, its rules, hints)

use std::io::{Read, Write};
use std::net::TcpStream;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (host, port) = (&arguments[1], &arguments[2]);
    let mut server = TcpStream::connect(format!("{host}:{port}"))?;
    // BEGIN HERE.
    %steps%
    let mut bytes = [0; 2048]; // half a line perhaps, or three lines
    loop {
        let count = server.read(&mut bytes)?;
        println!("received {count} bytes");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        server.write_all(line.as_bytes())?;
    }
}
