//! %task%
//!
//! Run it:    cargo run -- 127.0.0.1 8000     and in another terminal: nc 127.0.0.1 8000
//! Check it:  %check%
//! Read:      %page% (the task, its rules, hints)

use std::io::Read;
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (host, port) = (&arguments[1], &arguments[2]);
    let listener = TcpListener::bind(format!("{host}:{port}"))?;
    // The lab waits for this line.
    println!("listening on {}", listener.local_addr()?);
    for client in listener.incoming() {
        if let Err(error) = serve(client?) {
            eprintln!("{error}"); // a reset is no reason to end
        }
    }
    Ok(())
}

fn serve(mut client: TcpStream) -> std::io::Result<()> {
    // BEGIN HERE.
    %steps%
    let mut bytes = [0; 2048]; // half a line perhaps, or three lines
    loop {
        let count = client.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        println!("received {count} bytes");
    }
}
