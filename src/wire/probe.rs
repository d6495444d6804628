//! The wire names that a parameter type reads, found by asking the type itself; never reads a request.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::Error;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::params::JSON_LIST;

/// Beyond any nesting of ECS; a type that contains itself ends here.
const DEPTH: usize = 8;

/// The names of the parameters that `T` reads: `DiskId`, `Tag.N.Key`, `CopyEncryptionConfiguration.Arn.N.RoleType`.
///
/// A value that comes as one string counts as one name, [`super::params::JsonList`] too. A serde alias is a name as well.
#[must_use]
pub fn names<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![Vec::new()];
    while let Some(target) = open.pop() {
        let found = RefCell::new(Found::Nothing);
        // Each walk goes to one target and fails there, or before it where a type checks its values: only what it met
        // on the way counts.
        drop(T::deserialize(Probe { target: &target, path: String::new(), found: &found }));
        match found.into_inner() {
            Found::Value(path) => drop(names.insert(path)),
            Found::Struct(fields) if target.len() < DEPTH => {
                open.extend(fields.iter().map(|field| [target.as_slice(), &[*field]].concat()));
            }
            Found::Nothing | Found::Struct(_) => {}
        }
    }
    names
}

enum Found {
    Nothing,
    Value(String),
    Struct(&'static [&'static str]),
}

/// A walk through a type along the fields of `target`.
struct Probe<'a> {
    target: &'a [&'static str],
    path: String,
    found: &'a RefCell<Found>,
}

impl Probe<'_> {
    fn below(self, segment: &str) -> Self {
        let path = if self.path.is_empty() { segment.to_owned() } else { format!("{}.{segment}", self.path) };
        Self { path, ..self }
    }

    fn arrive<T>(self, found: impl FnOnce(String) -> Found) -> Result<T, Error> {
        self.found.replace(found(self.path));
        Err(Error::custom("the walk ends here"))
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        self.arrive(Found::Value)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == JSON_LIST { self.deserialize_any(visitor) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(OneElement(Some(self.below("N"))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some((field, rest)) = self.target.split_first() else { return self.arrive(|_| Found::Struct(fields)) };
        visitor.visit_map(OneField { field, value: Some(Probe { target: rest, ..self }.below(field)) })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map enum identifier ignored_any
    }
}

struct OneField<'a> {
    field: &'static str,
    value: Option<Probe<'a>>,
}

impl<'de> MapAccess<'de> for OneField<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.value.as_ref().map(|_| seed.deserialize(self.field.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.value.take().ok_or_else(|| Error::custom("a value without a name"))?)
    }
}

struct OneElement<'a>(Option<Probe<'a>>);

impl<'de> SeqAccess<'de> for OneElement<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::wire::params::JsonList;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only the shape of the type is read")]
    struct Shape {
        disk_id: String,
        name: Checked,
        #[serde(default)]
        tag: Vec<Tag>,
        #[serde(default)]
        snapshot_group_id: Vec<String>,
        snapshot_ids: Option<JsonList<String>>,
        copy: Option<Inner>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only the shape of the type is read")]
    struct Tag {
        key: Option<String>,
        value: bool,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only the shape of the type is read")]
    struct Inner {
        arn: Vec<Tag>,
        again: Option<Box<Inner>>,
    }

    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Checked;

    impl TryFrom<String> for Checked {
        type Error = &'static str;

        fn try_from(_: String) -> Result<Self, Self::Error> {
            Err("never valid")
        }
    }

    #[test]
    fn names_are_listed_through_lists_options_and_checked_values() {
        let names = names::<Shape>();
        let flat: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.starts_with("Copy.")).collect();
        assert_eq!(flat, ["DiskId", "Name", "SnapshotGroupId.N", "SnapshotIds", "Tag.N.Key", "Tag.N.Value"]);
        assert!(names.contains("Copy.Arn.N.Key") && names.contains("Copy.Again.Arn.N.Value"), "{names:?}");
    }
}
