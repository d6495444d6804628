//! An XML document read as a conforming reader has it: line ends made one, references resolved; refuses what is no XML 1.0.

use quick_xml::Reader;
use quick_xml::events::Event;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// The texts of all leaves in their order, with the names on the way to each.
pub fn leaves(text: &str) -> Result<Vec<(String, String)>, String> {
    let body = text.strip_prefix(DECLARATION).ok_or("there is no declaration")?;
    if let Some(odd) = body.chars().find(|letter| !is_letter(*letter)) {
        return Err(format!("{odd:?} is no character of XML"));
    }
    // XML 1.0, 2.11: whoever reads it makes each of these a line feed, unless it was written as a reference.
    let body = body.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader::from_str(&body);
    reader.config_mut().check_end_names = true;
    let (mut path, mut leaves, mut piece, mut is_leaf) = (Vec::new(), Vec::new(), String::new(), false);
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                piece.clear();
                is_leaf = true;
            }
            Event::Empty(empty) => {
                let name = [&path[..], &[empty.name().as_ref().to_owned()]].concat().join("/");
                leaves.push((name, String::new()));
                is_leaf = false;
            }
            Event::End(_) => {
                if is_leaf {
                    leaves.push((path.join("/"), std::mem::take(&mut piece)));
                }
                path.pop();
                is_leaf = false;
            }
            Event::Text(text) => piece.push_str(&text),
            Event::GeneralRef(entity) => {
                let whole = format!("&{};", &*entity);
                piece.push_str(&quick_xml::escape::unescape(&whole).map_err(|error| error.to_string())?);
            }
            Event::Eof if path.is_empty() => return Ok(leaves),
            other => return Err(format!("{other:?} after {path:?}")),
        }
    }
}

fn is_letter(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// What XML can carry of a text: every other character is replaced.
pub fn carried(text: &str) -> String {
    text.chars().map(|letter| if is_letter(letter) { letter } else { char::REPLACEMENT_CHARACTER }).collect()
}
