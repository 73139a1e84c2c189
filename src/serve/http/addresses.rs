//! Connections per client address, so that one client cannot have them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of open connections per address, if limited.
pub(crate) struct Addresses {
    most: Option<usize>,
    counts: Mutex<HashMap<IpAddr, usize>>,
}

impl Addresses {
    /// Creates the limit: `most` connections per address, or any number.
    pub(crate) fn new(most: Option<usize>) -> Addresses {
        Addresses {
            most,
            counts: Mutex::default(),
        }
    }

    /// Counts a connection of `address` until the returned value is dropped; `None` if the address has reached its
    /// limit.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let Some(most) = self.most else {
            return Some(Admitted(None));
        };
        let client = client(address);
        let mut counts = self.lock();
        let count = counts.entry(client).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Admitted(Some((Arc::clone(self), client))))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // A panic elsewhere leaves the counts consistent: each change is one assignment.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Identity of a client: the IPv4 address, or the IPv6 network of 64 bits, all of whose addresses a client has.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        address => address,
    }
}

/// Counted connection.
pub(crate) struct Admitted(Option<(Arc<Addresses>, IpAddr)>);

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some((addresses, client)) = &self.0 {
            let mut counts = addresses.lock();
            if let Some(count) = counts.get_mut(client) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(client);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_places_of_its_own() {
        let addresses = Arc::new(Addresses::new(Some(2)));
        let first = addresses.admit(ip("192.0.2.1")).unwrap();
        // The same address, as a dual-stack socket reports it.
        let second = addresses.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(addresses.admit(ip("192.0.2.1")).is_none());
        let _other = addresses.admit(ip("192.0.2.2")).unwrap();
        let network = [
            addresses.admit(ip("2001:db8::1")),
            addresses.admit(ip("2001:db8::ffff:2")),
        ];
        assert!(addresses.admit(ip("2001:db8::3")).is_none());
        assert!(addresses.admit(ip("2001:db8:0:1::3")).is_some());
        drop(first);
        let third = addresses.admit(ip("192.0.2.1")).unwrap();
        drop((second, third, network));
        assert_eq!(
            addresses.lock().len(),
            1,
            "nothing is left of who went away"
        );
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let addresses = Arc::new(Addresses::new(None));
        let all: Vec<_> = (0..1000).map(|_| addresses.admit(ip("::1"))).collect();
        assert!(all.iter().all(Option::is_some));
        assert!(addresses.lock().is_empty());
    }
}
