//! Ports for the servers.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failure;

/// The lowest port that is tried.
const FIRST: u32 = 20_000;

/// Ports that this process has looked at.
static LOOKED_AT: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that nobody listens on now.
///
/// It lies below the ports that the kernel gives to outgoing connections. A server that is started again on its port
/// would otherwise find it taken now and then by one of the very clients that try to reach it.
pub(crate) fn free() -> Result<u16, Failure> {
    let end = outgoing().unwrap_or(32_768);
    let span = end.saturating_sub(FIRST);
    if span < 1_000 {
        return any();
    }
    // Processes that run at the same time begin at different places.
    let start = process::id().wrapping_mul(97);
    for _ in 0..span {
        let step = LOOKED_AT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % span;
        if let Ok(port) = u16::try_from(port)
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            return Ok(port);
        }
    }
    any()
}

/// The lowest port that the kernel gives to outgoing connections.
fn outgoing() -> Option<u32> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

fn any() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).map_err(|error| format!("no port of 127.0.0.1 is free: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_differ_and_can_be_listened_on() {
        let (first, second) = (free().expect("a port"), free().expect("a port"));
        assert_ne!(first, second);
        // Between the look and the use another process of this machine may have taken it.
        let listened = (0..10).find_map(|_| {
            let port = free().expect("a port");
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|taken| (port, taken))
        });
        let (port, taken) = listened.expect("a free port");
        let next = free().expect("a port");
        assert_ne!(next, port);
        drop(taken);
    }
}
