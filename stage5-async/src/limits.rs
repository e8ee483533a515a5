//! Layer: the rare faults. How much of everything there may be (rule S5.9).

use std::net::{IpAddr, Ipv6Addr};

/// The limits that can be set on the command line. Each may be 0: no limit.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Limits (0: no limit)")]
pub struct Limits {
    /// Clients that are connected at the same time
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_clients: usize,
    /// Clients that are connected from one address at the same time
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub clients_per_address: usize,
    /// Connections from one address in a minute, with bursts of as many; further ones are refused
    #[arg(long, value_name = "N", default_value_t = 120)]
    pub connects_per_minute: u32,
    /// Rooms, beside #lobby
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_rooms: usize,
    /// Rooms that one client is in, beside #lobby
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rooms_per_client: usize,
    /// Names and addresses that are banned from one room
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub bans_per_room: usize,
    /// Bytes of a topic
    #[arg(long, value_name = "BYTES", default_value_t = 300)]
    pub topic_bytes: usize,
    /// Lines of one client in a second, with bursts of twice that; further ones wait
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub lines_per_second: u32,
    /// Seconds from connecting to an accepted name
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds_to_register: u64,
    /// Bytes that the server keeps for one client that does not read
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576)]
    pub bytes_owed: usize,
}

/// Whether one more fits below a limit. The error names what was reached, and the flag.
pub fn one_more(count: usize, limit: usize, what: &str, flag: &str) -> Result<(), String> {
    if limit == 0 || count < limit {
        Ok(())
    } else {
        Err(format!("{what} (at most {limit}; the server's {flag})"))
    }
}

/// What counts as one address, here and in bans: of IPv6 the first 64 bits, because a household
/// has all addresses that begin with the same ones. On a socket for both versions an IPv4 client looks
/// like `::ffff:192.0.2.1`, and counts as `192.0.2.1`.
pub fn one_address(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_a_64_are_one_address() {
        let address = |ip: &str| one_address(ip.parse().unwrap()).to_string();
        assert_eq!(address("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(address("2001:db8:1:2::"), address("2001:db8:1:2:ffff::1"));
        assert_eq!(address("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(address("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        assert!(one_more(1_000_000, 0, "too many", "--flag").is_ok());
        assert!(one_more(1, 2, "too many", "--flag").is_ok());
        let error = one_more(2, 2, "too many", "--flag").unwrap_err();
        assert_eq!(error, "too many (at most 2; the server's --flag)");
    }
}
