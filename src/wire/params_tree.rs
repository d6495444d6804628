//! The serde deserializer of dotted parameter names, one node of the tree at a time; never builds the tree as a whole.

use std::borrow::Cow;
use std::str::FromStr;
use std::vec;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::params::{JSON_LIST, ParamError};

/// A place in the tree: what was sent for it and for all that is below it.
///
/// The wanted type leads the descent, so its depth bounds the recursion, whatever a client sends.
pub(super) struct Node<'a> {
    source: Source<'a>,
    /// Replaces scalars that cannot be read instead of failing.
    lenient: bool,
}

enum Source<'a> {
    /// Never empty below the root.
    Wire(Vec<Entry<'a>>),
    Json(Value),
}

/// One parameter: what is left of its name below the node, `None` for the node's own value.
#[derive(Clone, Copy)]
struct Entry<'a> {
    rest: Option<&'a str>,
    value: &'a str,
}

/// Takes `field` off the front of `key`: whether the spelling was exact, and what is left behind the dot.
///
/// Else the first letter of each segment may be of either case: `tag.1.key` is `Tag.1.Key`.
pub(super) fn strip<'a>(key: &'a str, field: &str) -> Option<(bool, Option<&'a str>)> {
    let (head, tail) = key.split_at_checked(field.len())?;
    let rest = if tail.is_empty() { None } else { Some(tail.strip_prefix('.')?) };
    let mut starts = true;
    let alike = head.bytes().zip(field.bytes()).all(|(sent, wanted)| {
        let same = sent == wanted || (starts && sent.eq_ignore_ascii_case(&wanted));
        starts = wanted == b'.';
        same
    });
    alike.then_some((head == field, rest))
}

impl<'a> Node<'a> {
    pub(super) fn root(pairs: &'a [(String, String)], lenient: bool) -> Self {
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let entries = given.map(|(key, value)| Entry { rest: Some(key), value }).collect();
        Self { source: Source::Wire(entries), lenient }
    }

    /// The node's own value, if it has one.
    fn text(&self) -> Option<Cow<'_, str>> {
        match &self.source {
            Source::Wire(entries) => {
                entries.iter().find(|entry| entry.rest.is_none()).map(|own| Cow::Borrowed(own.value))
            }
            Source::Json(Value::String(text)) => Some(Cow::Borrowed(text)),
            Source::Json(value @ (Value::Number(_) | Value::Bool(_))) => Some(Cow::Owned(value.to_string())),
            Source::Json(_) => None,
        }
    }

    fn scalar<T>(
        &self,
        read: impl Fn(&str) -> Option<T>,
        substitute: T,
        expected: impl Fn() -> String,
    ) -> Result<T, ParamError> {
        match self.text().as_deref().and_then(read) {
            Some(value) => Ok(value),
            None if self.lenient => Ok(substitute),
            None => Err(ParamError::invalid(format!("expected {}", expected()))),
        }
    }

    fn string(&self) -> Result<Cow<'_, str>, ParamError> {
        match self.text() {
            Some(text) => Ok(text),
            None if self.lenient => Ok(Cow::Borrowed("")),
            None => Err(ParamError::invalid("expected one value")),
        }
    }

    /// A node that has nothing below it but a value of its own carries its parts in that value, as JSON.
    fn opened(self) -> Result<Self, ParamError> {
        let Source::Wire(entries) = &self.source else { return Ok(self) };
        match entries.first() {
            Some(own) if entries.iter().all(|entry| entry.rest.is_none()) => {
                let value = serde_json::from_str(own.value).map_err(|_| ParamError::invalid("expected JSON"))?;
                Ok(Self { source: Source::Json(value), lenient: self.lenient })
            }
            _ => Ok(self),
        }
    }

    fn fields(self, names: &'static [&'static str]) -> Result<Vec<(&'static str, Self)>, ParamError> {
        let opened = self.opened()?;
        let lenient = opened.lenient;
        let node = |name: &&'static str, source| (*name, Self { source, lenient });
        match opened.source {
            Source::Wire(entries) => {
                let found = names.iter().map(|name| (name, below(&entries, name)));
                Ok(found
                    .filter(|(_, part)| !part.is_empty())
                    .map(|(name, part)| node(name, Source::Wire(part)))
                    .collect())
            }
            Source::Json(Value::Object(mut members)) => {
                let mut take = |name: &str| {
                    let alike = |key: &&String| strip(key, name).is_some_and(|(_, rest)| rest.is_none());
                    let key =
                        if members.contains_key(name) { name.to_owned() } else { members.keys().find(alike)?.clone() };
                    members.remove(&key).filter(|value| !value.is_null() && value.as_str() != Some(""))
                };
                let found = names.iter().filter_map(|name| take(name).map(|value| node(name, Source::Json(value))));
                Ok(found.collect())
            }
            Source::Json(_) => Err(ParamError::invalid("expected a JSON object")),
        }
    }

    fn elements(self) -> Result<Vec<(Step<'a>, Self)>, ParamError> {
        let lenient = self.lenient;
        let node = |source| Self { source, lenient };
        match self.opened().map(|opened| opened.source) {
            Ok(Source::Wire(entries)) => {
                let parts = by_index(&entries).into_iter();
                Ok(parts.map(|(index, part)| (Step::Index(index), node(Source::Wire(part)))).collect())
            }
            Ok(Source::Json(Value::Array(values))) => {
                let numbered = values.into_iter().enumerate();
                Ok(numbered.map(|(i, value)| (Step::Position(i + 1), node(Source::Json(value)))).collect())
            }
            _ if lenient => Ok(Vec::new()),
            _ => Err(ParamError::invalid("expected a JSON array")),
        }
    }
}

/// The entries below `field`, the exactly spelled ones first, so that they win.
fn below<'a>(entries: &[Entry<'a>], field: &str) -> Vec<Entry<'a>> {
    let mut exact = Vec::new();
    let mut alike = Vec::new();
    for entry in entries {
        if let Some((is_exact, rest)) = entry.rest.and_then(|key| strip(key, field)) {
            let part = if is_exact { &mut exact } else { &mut alike };
            part.push(Entry { rest, value: entry.value });
        }
    }
    exact.append(&mut alike);
    exact
}

/// The entries by the number they begin with, in numeric order; gaps are fine and other entries are ignored.
fn by_index<'a>(entries: &[Entry<'a>]) -> Vec<(&'a str, Vec<Entry<'a>>)> {
    let mut numbered = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(key) = entry.rest else { continue };
        let (index, rest) = key.split_once('.').map_or((key, None), |(index, rest)| (index, Some(rest)));
        if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) {
            numbered.push((index.trim_start_matches('0'), index, Entry { rest, value: entry.value }));
        }
    }
    // Digits without leading zeros compare as numbers by length first: no index is too large.
    numbered.sort_by_key(|(digits, ..)| (digits.len(), *digits));
    let groups = numbered.chunk_by(|left, right| left.0 == right.0);
    groups.map(|group| (group[0].1, group.iter().map(|(.., entry)| *entry).collect())).collect()
}

/// How an element of a list is called in an error.
enum Step<'a> {
    Index(&'a str),
    Position(usize),
    /// The parameter that holds the list is the one to name.
    Unnamed,
}

impl Step<'_> {
    fn locate(&self, error: ParamError) -> ParamError {
        match self {
            Self::Index(index) => error.within(index),
            Self::Position(position) => error.within(&position.to_string()),
            Self::Unnamed => error,
        }
    }
}

struct Fields<'a> {
    rest: vec::IntoIter<(&'static str, Node<'a>)>,
    value: Option<(&'static str, Node<'a>)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = ParamError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ParamError> {
        self.value = self.rest.next();
        self.value.as_ref().map(|(name, _)| seed.deserialize((*name).into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ParamError> {
        let (name, node) = self.value.take().ok_or_else(|| ParamError::invalid("a value without a name"))?;
        seed.deserialize(node).map_err(|error| error.within(name))
    }
}

struct Elements<'a>(vec::IntoIter<(Step<'a>, Node<'a>)>);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = ParamError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ParamError> {
        let Some((step, node)) = self.0.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| step.locate(error))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
            let expected = || format!("a number from {} to {}", <$number>::MIN, <$number>::MAX);
            visitor.$visit(self.scalar(number::<$number>, <$number>::default(), expected)?)
        }
    )*};
}

/// Decimal digits, a sign and a point only: no `+5`, no `inf`.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'));
    plain.then(|| text.parse().ok()).flatten()
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word| text.eq_ignore_ascii_case(word);
    if is("true") { Some(true) } else { is("false").then_some(false) }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = ParamError;

    numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64,
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_bool(self.scalar(boolean, false, || "true or false".to_owned())?)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_str(&self.string()?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParamError> {
        let known = |text: &str| variants.iter().find(|variant| **variant == text).copied();
        let first = variants.first().copied().unwrap_or_default();
        let variant = self.scalar(known, first, || format!("one of {}", variants.join(", ")))?;
        visitor.visit_enum(variant.into_deserializer())
    }

    // Only what was sent and is not empty becomes a node: a node is never `None`.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ParamError> {
        if name != JSON_LIST {
            return visitor.visit_newtype_struct(self);
        }
        let elements = self.elements()?.into_iter().map(|(_, node)| (Step::Unnamed, node)).collect::<Vec<_>>();
        visitor.visit_newtype_struct(SeqAccessDeserializer::new(Elements(elements.into_iter())))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ParamError> {
        visitor.visit_seq(Elements(self.elements()?.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ParamError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ParamError> {
        visitor.visit_map(Fields { rest: self.fields(fields)?.into_iter(), value: None })
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf identifier map tuple_struct
    }
}
