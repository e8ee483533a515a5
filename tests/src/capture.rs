//! Writes what passed as a capture that Wireshark opens (pcapng), without any privilege: each read
//! or write of ours is one TCP segment, at its real time.
//!
//! A program sees reads and writes, not segments. So all headers are made up (and the file says so in its own
//! comment): addresses and ports are the real ones, sequence numbers count the bytes.

use etherparse::PacketBuilder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// The link type of packets that begin with an IP header (tcpdump.org/linktypes.html).
const LINKTYPE_RAW: u16 = 101;

/// Bytes of one packet's payload: what fits behind the headers into an IPv4 packet.
const PAYLOAD_BYTES_MAX: usize = 65_000;

const ABOUT: &str = "Written by `cargo lab`. The TCP and IP headers are made up: a program sees what one \
     read brings, and not the segments in which it travelled. Each packet with data is one read or one \
     write of the lab's; times, addresses, ports and bytes are real.";

/// A file that several connections write into.
#[derive(Debug, Clone)]
pub struct Capture {
    file: Arc<Mutex<BufWriter<File>>>,
}

/// One connection in it.
#[derive(Debug, Clone)]
pub struct Stream {
    capture: Capture,
    ends: Arc<Mutex<[EndPoint; 2]>>,
}

#[derive(Debug)]
struct EndPoint {
    address: SocketAddr,
    /// The sequence number of its next byte.
    next: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What a packet says beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    Syn,
    SynAck,
    Ack,
    Fin,
    Reset,
}

impl Capture {
    pub fn create(path: &Path) -> io::Result<Capture> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&section_header())?;
        file.write_all(&interface())?;
        file.flush()?;
        Ok(Capture { file: Arc::new(Mutex::new(file)) })
    }

    /// A connection begins: three packets of a handshake, the first one with a comment.
    pub fn stream(&self, client: SocketAddr, server: SocketAddr, comment: &str) -> Stream {
        let ends = [client, server].map(|address| EndPoint { address, next: 1 });
        let stream = Stream { capture: self.clone(), ends: Arc::new(Mutex::new(ends)) };
        stream.packet(Direction::ToServer, Flag::Syn, &[], Some(comment));
        stream.packet(Direction::ToClient, Flag::SynAck, &[], None);
        stream.packet(Direction::ToServer, Flag::Ack, &[], None);
        stream
    }

    /// Each packet reaches the file at once: a lab that is interrupted loses none.
    fn append(&self, packet: &[u8], comment: Option<&str>) {
        let mut file = self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A full disk must not end what is being watched; the file then ends early.
        let _ = file.write_all(&enhanced_packet(packet, comment)).and_then(|()| file.flush());
    }
}

impl Stream {
    /// What one read brought.
    pub fn data(&self, direction: Direction, bytes: &[u8], comment: Option<&str>) {
        let mut comment = comment;
        for part in bytes.chunks(PAYLOAD_BYTES_MAX) {
            self.packet(direction, Flag::Ack, part, comment.take());
        }
    }

    /// The end of one direction.
    pub fn fin(&self, direction: Direction) {
        self.packet(direction, Flag::Fin, &[], None);
    }

    pub fn reset(&self, direction: Direction) {
        self.packet(direction, Flag::Reset, &[], None);
    }

    fn packet(&self, direction: Direction, flag: Flag, bytes: &[u8], comment: Option<&str>) {
        let mut ends = self.lock();
        let (from, to) = match direction {
            Direction::ToServer => (0, 1),
            Direction::ToClient => (1, 0),
        };
        let before = u32::from(matches!(flag, Flag::Syn | Flag::SynAck));
        let (sequence, acknowledged) = (ends[from].next - before, ends[to].next);
        ends[from].next += bytes.len() as u32 + u32::from(flag == Flag::Fin);
        let (source, destination) = (ends[from].address, ends[to].address);
        drop(ends);
        let head = PacketBuilder::ipv4(ip(source), ip(destination), 64);
        let head = head.tcp(source.port(), destination.port(), sequence, u16::MAX);
        let head = match flag {
            Flag::Syn => head.syn(),
            Flag::SynAck => head.syn().ack(acknowledged),
            Flag::Ack if bytes.is_empty() => head.ack(acknowledged),
            Flag::Ack => head.ack(acknowledged).psh(),
            Flag::Fin => head.ack(acknowledged).fin(),
            Flag::Reset => head.ack(acknowledged).rst(),
        };
        let mut packet = Vec::new();
        if head.write(&mut packet, bytes).is_ok() {
            self.capture.append(&packet, comment);
        }
    }

    fn lock(&self) -> MutexGuard<'_, [EndPoint; 2]> {
        self.ends.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The headers are IPv4's; whoever came over IPv6 gets the address of this machine.
fn ip(address: SocketAddr) -> [u8; 4] {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST.octets(),
    }
}

// ---- blocks (draft-ietf-opsawg-pcapng) ----

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const OPTION_COMMENT: u16 = 1;
const OPTION_TIME_RESOLUTION: u16 = 9;

fn section_header() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x1A2B_3C4D_u32.to_le_bytes()); // tells the order of the bytes
    body.extend(1_u16.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    body.extend((-1_i64).to_le_bytes()); // the length of the section is not known
    option(&mut body, OPTION_COMMENT, ABOUT.as_bytes());
    end_of_options(&mut body);
    block(SECTION_HEADER, &body)
}

fn interface() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(LINKTYPE_RAW.to_le_bytes());
    body.extend(0_u16.to_le_bytes());
    body.extend(0_u32.to_le_bytes()); // no limit on the length of a packet
    option(&mut body, OPTION_TIME_RESOLUTION, &[9]); // nanoseconds
    end_of_options(&mut body);
    block(INTERFACE, &body)
}

fn enhanced_packet(packet: &[u8], comment: Option<&str>) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = now.unwrap_or(Duration::ZERO).as_nanos() as u64;
    let mut body = Vec::new();
    body.extend(0_u32.to_le_bytes()); // the one interface
    body.extend(((nanos >> 32) as u32).to_le_bytes());
    body.extend((nanos as u32).to_le_bytes());
    body.extend((packet.len() as u32).to_le_bytes());
    body.extend((packet.len() as u32).to_le_bytes());
    body.extend(packet);
    pad(&mut body);
    if let Some(comment) = comment {
        option(&mut body, OPTION_COMMENT, comment.as_bytes());
        end_of_options(&mut body);
    }
    block(ENHANCED_PACKET, &body)
}

/// Its length stands before it and behind it.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 12) as u32;
    let mut block = Vec::with_capacity(length as usize);
    block.extend(kind.to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend(body);
    block.extend(length.to_le_bytes());
    block
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Everything stands on a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
    use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};

    /// The packets of the file, as somebody else's parser reads them.
    fn packets(path: &Path) -> Vec<Vec<u8>> {
        let mut reader = PcapNGReader::new(1 << 16, File::open(path).unwrap()).unwrap();
        let mut packets = Vec::new();
        loop {
            match reader.next() {
                Ok((offset, block)) => {
                    if let PcapBlockOwned::NG(Block::EnhancedPacket(packet)) = block {
                        packets.push(packet.packet_data().to_vec());
                    }
                    reader.consume(offset);
                }
                Err(PcapError::Eof) => return packets,
                Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_conversation_can_be_read_back_by_another_parser() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("talk.pcapng");
        let capture = Capture::create(&path).unwrap();
        let (client, server) = (([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 8004).into());
        let stream = capture.stream(client, server, "ann connects");
        stream.data(Direction::ToClient, b"NICK\n", None);
        stream.data(Direction::ToServer, b"ann\n", Some("half a line would stand here"));
        stream.fin(Direction::ToServer);
        stream.reset(Direction::ToClient);
        let packets = packets(&path);
        let payloads: Vec<Vec<u8>> = packets
            .iter()
            .map(|packet| {
                let packet = etherparse::SlicedPacket::from_ip(packet).unwrap();
                match packet.transport.unwrap() {
                    etherparse::TransportSlice::Tcp(tcp) => tcp.payload().to_vec(),
                    _ => panic!("not TCP"),
                }
            })
            .collect();
        assert_eq!(payloads.len(), 7);
        assert_eq!(payloads.concat(), b"NICK\nann\n");
    }
}
