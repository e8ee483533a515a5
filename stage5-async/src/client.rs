//! The client: what its user types goes out, what others say is printed.
use crate::console;
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use anyhow::Context;
use std::io::{self, BufRead, ErrorKind};
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

pub fn run(host: &str, port: u16, _name: Option<String>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(chat(host, port))
}

async fn chat(host: &str, port: u16) -> anyhow::Result<()> {
    let mut socket = TcpStream::connect((host, port))
        .await
        .with_context(|| format!("cannot connect to {host}:{port}"))?;
    socket.set_nodelay(true)?;
    let (mut reader, mut writer) = socket.split();
    let (lines, mut input) = mpsc::channel::<String>(64);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    let upload = async {
        while let Some(line) = input.recv().await {
            if writer
                .write_all(format!("{line}\n").as_bytes())
                .await
                .is_err()
            {
                break;
            }
        }
        let _ = writer.shutdown().await;
        std::future::pending::<()>().await
    };
    let download = async {
        let mut decoder = LineDecoder::new(SERVER_LINE_BYTES_MAX);
        let mut bytes = vec![0; 16384];
        loop {
            match reader.read(&mut bytes).await {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    decoder.push(&bytes[..n]);
                    while let Some(Ok(line)) = decoder.next_line() {
                        console::say(line);
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    };
    tokio::select! {
        end = download => { end.context("the connection broke")?; }
        () = upload => {}
    }
    console::warn("the server has ended the connection");
    Ok(())
}
