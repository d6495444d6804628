//! The regions and zones that exist, with the marks that ids carry; a fixed table, never stored.

/// A region of the cloud.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// Such as `cn-hangzhou`.
    pub id: &'static str,
    /// The name shown to people, in English.
    pub local_name: &'static str,
    /// The three letters or digits that ids of this region carry after their prefix.
    pub mark: &'static str,
    /// The last part of each zone: `cn-hangzhou-h` is `h`.
    zones: &'static str,
}

impl Region {
    /// The zones, such as `cn-hangzhou-h`; names of regions abroad join the letter without a dash, as the vendor does.
    pub fn zones(&self) -> impl Iterator<Item = String> + '_ {
        let dash = if self.id.ends_with(|c: char| c.is_ascii_digit()) { "" } else { "-" };
        self.zones.chars().map(move |letter| format!("{}{dash}{letter}", self.id))
    }

    #[must_use]
    pub fn has_zone(&self, zone: &str) -> bool {
        self.zones().any(|known| known == zone)
    }
}

/// Marks: observed ones for the first seven and ap-southeast-1, ours for the rest.
#[rustfmt::skip]
pub static REGIONS: [Region; 24] = [
    Region { id: "cn-hangzhou", local_name: "China (Hangzhou)", mark: "bp1", zones: "bghijk" },
    Region { id: "cn-beijing", local_name: "China (Beijing)", mark: "2ze", zones: "acdefghijkl" },
    Region { id: "cn-shanghai", local_name: "China (Shanghai)", mark: "uf6", zones: "abefglmn" },
    Region { id: "cn-hongkong", local_name: "China (Hong Kong)", mark: "j6c", zones: "bcd" },
    Region { id: "cn-huhehaote", local_name: "China (Hohhot)", mark: "hp3", zones: "ab" },
    Region { id: "eu-central-1", local_name: "Germany (Frankfurt)", mark: "gw8", zones: "abc" },
    Region { id: "me-east-1", local_name: "UAE (Dubai)", mark: "l4v", zones: "a" },
    Region { id: "ap-southeast-1", local_name: "Singapore", mark: "t4n", zones: "abc" },
    Region { id: "cn-shenzhen", local_name: "China (Shenzhen)", mark: "wz9", zones: "acdef" },
    Region { id: "cn-qingdao", local_name: "China (Qingdao)", mark: "m5e", zones: "bc" },
    Region { id: "cn-zhangjiakou", local_name: "China (Zhangjiakou)", mark: "8vb", zones: "abc" },
    Region { id: "cn-wulanchabu", local_name: "China (Ulanqab)", mark: "0jl", zones: "abc" },
    Region { id: "cn-heyuan", local_name: "China (Heyuan)", mark: "f8z", zones: "ab" },
    Region { id: "cn-guangzhou", local_name: "China (Guangzhou)", mark: "7xv", zones: "ab" },
    Region { id: "cn-chengdu", local_name: "China (Chengdu)", mark: "2vc", zones: "ab" },
    Region { id: "ap-northeast-1", local_name: "Japan (Tokyo)", mark: "6we", zones: "abc" },
    Region { id: "ap-northeast-2", local_name: "South Korea (Seoul)", mark: "mj7", zones: "a" },
    Region { id: "ap-southeast-3", local_name: "Malaysia (Kuala Lumpur)", mark: "8ps", zones: "abc" },
    Region { id: "ap-southeast-5", local_name: "Indonesia (Jakarta)", mark: "k1a", zones: "abc" },
    Region { id: "ap-southeast-6", local_name: "Philippines (Manila)", mark: "5ts", zones: "a" },
    Region { id: "ap-southeast-7", local_name: "Thailand (Bangkok)", mark: "0jo", zones: "a" },
    Region { id: "eu-west-1", local_name: "UK (London)", mark: "d7o", zones: "ab" },
    Region { id: "us-east-1", local_name: "US (Virginia)", mark: "0xi", zones: "ab" },
    Region { id: "us-west-1", local_name: "US (Silicon Valley)", mark: "rj9", zones: "ab" },
];

#[must_use]
pub fn find(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

#[must_use]
pub fn names() -> Vec<&'static str> {
    REGIONS.iter().map(|region| region.id).collect()
}

/// `cn-hangzhou`: lower-case words, digits and dashes.
#[must_use]
pub fn is_region_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.contains('-') && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(fits)
}
