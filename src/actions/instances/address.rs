//! The private address of an instance that asks for none: follows from its id, and no other of its region has it.

use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

use crate::faults::Fault;
use crate::store::instances;
use crate::store::tx::Tx;

/// 172.16.0.0/12.
const FIRST: u32 = u32::from_be_bytes([172, 16, 0, 0]);
const NETS: u32 = 1 << 12;
/// Hosts of a net of 256: its first and its last address are nobody's.
const HOSTS: u32 = 254;

/// The address where the id leads, else the next one that is free; shared only when a million instances have them all.
///
/// # Errors
/// 500 `InternalError` when the database fails.
pub async fn free(tx: &mut Tx<'_>, region_id: &str, instance_id: &str) -> Result<String, Fault> {
    let start = place(instance_id);
    for step in 0..NETS * HOSTS {
        let address = nth(start.wrapping_add(step) % (NETS * HOSTS)).to_string();
        if !instances::has_address(tx, region_id, &address).await? {
            return Ok(address);
        }
    }
    Ok(nth(start).to_string())
}

fn place(instance_id: &str) -> u32 {
    let hash = Sha256::digest(instance_id);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % (NETS * HOSTS)
}

fn nth(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + ((n / HOSTS) << 8) + n % HOSTS + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_hosts_in_the_block() {
        assert_eq!(nth(0).to_string(), "172.16.0.1");
        assert_eq!(nth(HOSTS).to_string(), "172.16.1.1");
        assert_eq!(nth(NETS * HOSTS - 1).to_string(), "172.31.255.254");
    }
}
