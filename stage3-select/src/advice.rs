//! Layer: the rare faults. What to tell a person whose command cannot be carried out (rule L15).
//!
//! This file is the same in all stages.

use std::io::{Error, ErrorKind};
use std::net::IpAddr;

use anyhow::anyhow;

/// Reads HOST from the command line. An IPv6 address may stand in brackets, as the servers print it;
/// a PORT in the place of HOST, or behind it, is answered with what was meant.
pub fn host(given: &str) -> Result<String, String> {
    if given.parse::<u16>().is_ok() {
        return Err(format!("that is a PORT, and HOST stands before it: 127.0.0.1 {given}"));
    }
    let host = given.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(given);
    if host.parse::<IpAddr>().is_ok() {
        return Ok(host.to_string());
    }
    match host.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            let host = host.trim_matches(['[', ']']);
            Err(format!("HOST and PORT are two arguments: {host} {port}"))
        }
        _ => Ok(host.to_string()),
    }
}

/// Why a server does not start.
pub fn cannot_listen(host: &str, port: u16, error: &Error) -> anyhow::Error {
    let why = match error.kind() {
        ErrorKind::AddrInUse => {
            "address already in use; is another server running? try another PORT, or 0 for any free one"
        }
        ErrorKind::PermissionDenied => {
            "permission denied; try a PORT above 1023, or 0 for any free one"
        }
        ErrorKind::AddrNotAvailable => {
            "not an address of this machine; try 127.0.0.1, or 0.0.0.0 for all of them"
        }
        _ => &format!("{error}; is HOST an address or a name of this machine?"),
    };
    anyhow!("cannot listen on {}: {why}", address(host, port))
}

/// Why a client does not start.
pub fn cannot_connect(host: &str, port: u16, error: &Error) -> anyhow::Error {
    let why = match error.kind() {
        ErrorKind::ConnectionRefused => {
            "connection refused; is the server running, and is this its HOST and PORT?"
        }
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            &format!("{error}; is HOST right, and does a firewall let the PORT through?")
        }
        _ => &format!("{error}; is HOST spelled right?"),
    };
    anyhow!("cannot connect to {}: {why}", address(host, port))
}

fn address(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_in_brackets_or_without() {
        for (given, host) in [("::1", "::1"), ("[::1]", "::1"), ("localhost", "localhost")] {
            assert_eq!(super::host(given).as_deref(), Ok(host));
        }
        assert_eq!(host("192.168.1.5").as_deref(), Ok("192.168.1.5"));
    }

    #[test]
    fn a_port_that_stands_where_host_does_is_answered_with_what_was_meant() {
        for (given, meant) in [
            ("8004", "127.0.0.1 8004"),
            ("127.0.0.1:8004", "127.0.0.1 8004"),
            ("[::1]:8004", "::1 8004"),
            ("laptop:8004", "laptop 8004"),
        ] {
            let error = host(given).unwrap_err();
            assert!(error.ends_with(&format!(": {meant}")), "{error}");
        }
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        let error = Error::from(ErrorKind::ConnectionRefused);
        let error = cannot_connect("::1", 8004, &error).to_string();
        assert!(error.starts_with("cannot connect to [::1]:8004: connection refused; "), "{error}");
    }
}
