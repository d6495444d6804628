//! Bodies of levers: JSON or TOML into typed values, with the place of what is wrong; never knows what they mean.

use serde::de::DeserializeOwned;

use super::Refusal;

/// Reads a JSON body, whatever its content type; an empty one stands for `{}`.
///
/// # Errors
/// 400 with the path of what is wrong.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| refusal(&error))?;
    deserializer.end().map_err(|error| Refusal::bad(error.to_string()))?;
    Ok(value)
}

/// Reads a TOML body.
///
/// # Errors
/// 400 with the line or the path of what is wrong.
pub fn toml<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let text = std::str::from_utf8(body).map_err(|error| Refusal::bad(error.to_string()))?;
    serde_path_to_error::deserialize(toml::Deserializer::new(text)).map_err(|error| refusal(&error))
}

fn refusal<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> Refusal {
    let (path, why) = (error.path().to_string(), error.inner());
    Refusal::bad(if path == "." { why.to_string() } else { format!("{path}: {why}") })
}
