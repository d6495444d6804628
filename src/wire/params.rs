//! Parameters of one request and their reading into typed values; never checks what a value means.

use std::fmt;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Serialize, Serializer};

use super::params_tree::{self, Node};
pub use super::probe::names;

/// The decoded parameters of a request, in the order in which they came.
///
/// Deliberately without `Debug`: signatures and security tokens are among them.
#[derive(Clone, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl From<Vec<(String, String)>> for Params {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self { pairs }
    }
}

impl Params {
    /// All pairs as they came, empty values and repeated names included: that is what a client signs.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The value of `name`; `None` when it is absent or empty.
    ///
    /// The exact spelling wins, else the first letter may be of either case: SDKs send `RegionId` and `regionId`. Of a
    /// repeated name the first counts: the query is read before the body, and SDKs put what they add into the query.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut alike = None;
        for (key, value) in self.pairs.iter().filter(|(_, value)| !value.is_empty()) {
            match params_tree::strip(key, name) {
                Some((true, None)) => return Some(value),
                Some((false, None)) => alike = alike.or(Some(value.as_str())),
                _ => {}
            }
        }
        alike
    }
}

/// Why parameters do not make a value of the wanted type; names are full wire names such as `Tag.1.Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamError {
    Missing(String),
    Invalid { path: String, why: String },
}

impl ParamError {
    pub(super) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid { path: String::new(), why: why.into() }
    }

    /// The same error seen from one level above, where the failing part is called `segment`.
    pub(super) fn within(self, segment: &str) -> Self {
        let below = |path: String| if path.is_empty() { segment.to_owned() } else { format!("{segment}.{path}") };
        match self {
            Self::Missing(path) => Self::Missing(below(path)),
            Self::Invalid { path, why } => Self::Invalid { path: below(path), why },
        }
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(f, "{path} is missing"),
            Self::Invalid { path, why } => write!(f, "{path}: {why}"),
        }
    }
}

impl std::error::Error for ParamError {}

impl de::Error for ParamError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::invalid(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field.to_owned())
    }
}

/// Reads `params` as a `T`: dotted names are structs and lists, unknown names are ignored, an empty value is absent.
///
/// Derived serde meets a malformed value before it looks for missing ones, but the vendor reports the missing one first.
/// So a malformed value is followed by a second reading that replaces what it cannot read and looks for gaps alone.
///
/// # Errors
/// The first parameter that is missing, else the first that cannot be read.
pub fn parse<T: DeserializeOwned>(params: &Params) -> Result<T, ParamError> {
    let read = T::deserialize(Node::root(params.pairs(), false));
    if let Err(ParamError::Invalid { .. }) = read
        && let Err(missing @ ParamError::Missing(_)) = T::deserialize(Node::root(params.pairs(), true))
    {
        return Err(missing);
    }
    read
}

/// The name by which the deserializer recognises a [`JsonList`].
pub(super) const JSON_LIST: &str = "$json_list";

/// A list that comes as one string holding a JSON array: `SnapshotIds=["s-1", "s-2"]`.
///
/// `[]` is a list of nothing and not an absent one: the vendor answers it with an empty page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename = "$json_list")]
pub struct JsonList<T>(pub Vec<T>);

impl<T: Serialize> Serialize for JsonList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Everything {
        region_id: Option<String>,
        force: bool,
        page_size: Option<i32>,
        size: u8,
        category: Category,
        tag: Vec<Tag>,
        disk_id: Vec<String>,
        snapshot_ids: Option<JsonList<String>>,
        copy_encryption_configuration: Option<Encryption>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Tag {
        key: String,
        value: Option<String>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Encryption {
        encrypted: bool,
        #[serde(rename = "KMSKeyId")]
        key: Option<String>,
        arn: Vec<Tag>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    enum Category {
        #[default]
        #[serde(rename = "standard")]
        Standard,
        #[serde(rename = "flash", alias = "Flash")]
        Flash,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Strict {
        size: u8,
        snapshot_id: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct StrictTags {
        tag: Vec<Tag>,
    }

    fn params(text: &str) -> Params {
        let mut pairs = Vec::new();
        crate::wire::form::decode(text.as_bytes(), &mut pairs, 5_000).unwrap();
        Params::from(pairs)
    }

    fn everything(text: &str) -> Result<Everything, ParamError> {
        parse(&params(text))
    }

    fn invalid<T: fmt::Debug>(read: Result<T, ParamError>) -> String {
        match read {
            Err(ParamError::Invalid { path, .. }) => path,
            other => panic!("{other:?}"),
        }
    }

    fn tag(key: &str, value: Option<&str>) -> Tag {
        Tag { key: key.to_owned(), value: value.map(str::to_owned) }
    }

    #[test]
    fn the_exact_spelling_wins_over_the_other_case_of_its_first_letter() {
        assert_eq!(everything("regionId=a&RegionId=b").unwrap().region_id.as_deref(), Some("b"));
        assert_eq!(everything("regionId=a").unwrap().region_id.as_deref(), Some("a"));
        assert_eq!(everything("regionid=a&REGIONID=b").unwrap().region_id, None);
        assert_eq!(params("regionId=a&RegionId=b").get("RegionId"), Some("b"));
        assert_eq!(params("regionId=a&Region=b").get("RegionId"), Some("a"));
    }

    #[test]
    fn the_first_of_a_repeated_parameter_counts() {
        assert_eq!(everything("RegionId=a&RegionId=b").unwrap().region_id.as_deref(), Some("a"));
        assert_eq!(params("RegionId=a&RegionId=b").get("RegionId"), Some("a"));
    }

    #[test]
    fn an_empty_value_is_absent() {
        assert_eq!(everything("RegionId=&PageSize=&Force=&Tag.1.Key=&SnapshotIds=").unwrap(), Everything::default());
        assert_eq!(params("SignatureType=").get("SignatureType"), None);
        assert_eq!(parse::<Strict>(&params("SnapshotId=&Size=1")), Err(ParamError::Missing("SnapshotId".to_owned())));
    }

    #[test]
    fn list_indices_sort_as_numbers_and_may_have_gaps() {
        let read = everything("DiskId.10=c&DiskId.2=b&DiskId.0=a&DiskId.x=y&DiskId.99999999999999999999=d").unwrap();
        assert_eq!(read.disk_id, ["a", "b", "c", "d"]);
        let read = everything("Tag.10.Key=b&tag.2.key=a&Tag.2.value=v&Tag.10.Value=&Tag.2.Key=A").unwrap();
        assert_eq!(read.tag, [tag("A", Some("v")), tag("b", None)]);
    }

    #[test]
    fn lists_and_objects_may_come_as_one_json_string() {
        assert_eq!(everything(r#"DiskId=["a","b"]"#).unwrap().disk_id, ["a", "b"]);
        let read =
            everything(r#"Tag=[{"Key":"a","Value":1},{"key":"b","Value":""},{"Key":"c","Value":null}]"#).unwrap();
        assert_eq!(read.tag, [tag("a", Some("1")), tag("b", None), tag("c", None)]);
        let read =
            everything(r#"CopyEncryptionConfiguration={"Encrypted":true,"kMSKeyId":"k","Arn":[{"Key":"r"}],"X":null}"#);
        let wanted = Encryption { encrypted: true, key: Some("k".to_owned()), arn: vec![tag("r", None)] };
        assert_eq!(read.unwrap().copy_encryption_configuration, Some(wanted));
        let read = everything("CopyEncryptionConfiguration.Encrypted=True").unwrap().copy_encryption_configuration;
        assert!(read.unwrap().encrypted);
    }

    #[test]
    fn a_json_list_is_absent_only_when_its_text_is() {
        let ids = |text: &str| everything(text).map(|read| read.snapshot_ids.map(|ids| ids.0));
        assert_eq!(ids("SnapshotIds="), Ok(None));
        assert_eq!(ids("SnapshotIds=[]"), Ok(Some(vec![])));
        assert_eq!(ids(r#"SnapshotIds=["s-1",+"s-2"]"#), Ok(Some(vec!["s-1".to_owned(), "s-2".to_owned()])));
        for text in ["s-1", "s-1,s-2", "{}", "3", r#"["s-1""#, r#"[["s-1"]]"#, "[null]"] {
            assert_eq!(invalid(ids(&format!("SnapshotIds={text}"))), "SnapshotIds", "{text}");
        }
        assert_eq!(serde_json::to_string(&JsonList(vec!["s-1"])).unwrap(), r#"["s-1"]"#);
    }

    #[test]
    fn booleans_are_read_in_any_case_and_numbers_in_their_range() {
        for (text, wanted) in [("true", true), ("True", true), ("FALSE", false)] {
            assert_eq!(everything(&format!("Force={text}")).unwrap().force, wanted);
        }
        assert_eq!(everything("PageSize=-7&Size=255").map(|read| (read.page_size, read.size)), Ok((Some(-7), 255)));
        for text in ["Force=yes", "Force=1"] {
            assert_eq!(invalid(everything(text)), "Force", "{text}");
        }
        for text in ["256", "-1", "%2B1", "1.5", "0x1", "1e2", "+1", "10000000000000000000000", "一"] {
            assert_eq!(invalid(everything(&format!("Size={text}"))), "Size", "{text}");
        }
    }

    #[test]
    fn variants_are_read_by_their_exact_name_or_alias() {
        assert_eq!(everything("Category=Flash").unwrap().category, Category::Flash);
        assert_eq!(invalid(everything("Category=FLASH")), "Category");
    }

    #[test]
    fn errors_name_the_parameter_as_the_wire_spells_it() {
        assert_eq!(everything("tag.3.value=v"), Err(ParamError::Missing("Tag.3.Key".to_owned())));
        assert_eq!(everything(r#"Tag=[{"Key":"a"},{}]"#), Err(ParamError::Missing("Tag.2.Key".to_owned())));
        assert_eq!(
            invalid(everything("CopyEncryptionConfiguration.Encrypted=7")),
            "CopyEncryptionConfiguration.Encrypted"
        );
        assert_eq!(invalid(everything("CopyEncryptionConfiguration=yes")), "CopyEncryptionConfiguration");
        assert_eq!(invalid(everything("Tag.1=x")), "Tag.1");
        assert_eq!(invalid(everything("RegionId.1=x")), "RegionId");
    }

    #[test]
    fn a_missing_parameter_is_reported_before_a_malformed_one() {
        assert_eq!(parse::<Strict>(&params("Size=big")), Err(ParamError::Missing("SnapshotId".to_owned())));
        assert_eq!(invalid(parse::<Strict>(&params("Size=big&SnapshotId=s"))), "Size");
        let read = parse::<StrictTags>(&params("Tag.1=x&Tag.2.Value=v"));
        assert_eq!(invalid(read), "Tag.1");
        assert_eq!(parse::<StrictTags>(&params("")), Err(ParamError::Missing("Tag".to_owned())));
    }

    #[test]
    fn odd_names_never_panic() {
        let deep = format!("Tag.1{}=x", ".1".repeat(1_000));
        let dots = format!("Tag{}=x", ".".repeat(100_000));
        let many = (0..2_000).fold(String::new(), |text, i| text + &format!("Tag.{i}.Key=x&"));
        let json = format!("SnapshotIds={}", "[".repeat(100_000));
        let nested = format!("Tag={}{}", "[".repeat(100), "]".repeat(100));
        let odd =
            ["Tag..Key=x", ".=x", "=x", "Tag.=x", "Tag.1.=x", "Tag.99999999999999999999.Key=x", "Tag.0.Key=x", "快=x"];
        for text in odd.into_iter().chain([&*deep, &dots, &many, &json, &nested]) {
            let _: Result<Everything, ParamError> = everything(text);
        }
        assert_eq!(everything(&many).unwrap().tag.len(), 2_000);
        assert_eq!(everything("Tag..Key=x&.=x&快=x").unwrap(), Everything::default());
        assert_eq!(everything("Tag.0.Key=x").unwrap().tag, [tag("x", None)]);
    }
}
