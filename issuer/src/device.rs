//! What people recognise a sign-in by: "Firefox on Windows". Whatever a client says of itself, it is shown and never
//! believed.

use http::HeaderMap;
use http::header::USER_AGENT;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use woothee::parser::Parser;
use woothee::woothee::VALUE_UNKNOWN;

/// What is kept of a `User-Agent`, in bytes. Browsers send 100 to 250.
pub const USER_AGENT_BYTES_MAX: usize = 512;

/// A program's own name, where it is all that is known, in characters.
const PROGRAM_CHARACTERS_MAX: usize = 32;

/// The `User-Agent` of a request in a form that can be stored and shown: what is no UTF-8 replaced, control and
/// formatting characters removed, cut to [`USER_AGENT_BYTES_MAX`]. `None` if nothing is left, or none was sent.
pub fn clean_user_agent(headers: &HeaderMap) -> Option<String> {
    let bytes = headers.get(USER_AGENT)?.as_bytes();
    // All that can come to matter, with room for what is removed.
    let bytes = bytes.get(..8 * USER_AGENT_BYTES_MAX).unwrap_or(bytes);
    let mut clean: String = String::from_utf8_lossy(bytes)
        .trim()
        .chars()
        .filter(|c| is_visible(*c))
        .collect();
    clean.truncate(clean.floor_char_boundary(USER_AGENT_BYTES_MAX));
    (!clean.is_empty()).then_some(clean)
}

/// A short name of the program and the system that a `User-Agent` tells of, such as `Firefox on Windows`, or of the
/// program alone (`curl`). `None` if it tells of neither.
pub fn device(user_agent: &str) -> Option<String> {
    let parsed = Parser::new().parse(user_agent);
    let (program, system) = parsed.map_or((VALUE_UNKNOWN, VALUE_UNKNOWN), |found| (found.name, found.os));
    match (program_name(program, user_agent), system_name(system)) {
        (Some(program), Some(system)) if program == system => Some(program.to_owned()),
        (Some(program), Some(system)) => Some(format!("{program} on {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

fn program_name<'a>(name: &'a str, user_agent: &'a str) -> Option<&'a str> {
    match name {
        // A library, or unheard of: its own first word, if it is one.
        VALUE_UNKNOWN | "HTTP Library" | "misc crawler" => own_name(user_agent),
        "SamsungBrowser" => Some("Samsung Internet"),
        "Webview" => Some("App"),
        known => Some(known),
    }
}

fn system_name(os: &str) -> Option<&str> {
    match os {
        VALUE_UNKNOWN | "" => None,
        "Mac OSX" | "Mac OS Classic" => Some("macOS"),
        "Windows Phone OS" => Some("Windows Phone"),
        // Browsers stopped telling: Windows 11 says that it is 10.
        windows if windows.starts_with("Windows") => Some("Windows"),
        known => Some(known),
    }
}

/// The product name that a `User-Agent` begins with (RFC 9110 section 10.1.5), unless it is the one that every browser
/// begins with.
fn own_name(user_agent: &str) -> Option<&str> {
    let name = user_agent.split(['/', ' ', '(', ';']).next()?;
    let is_name = !name.is_empty()
        && name != "Mozilla"
        && name.len() <= PROGRAM_CHARACTERS_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    is_name.then_some(name)
}

fn is_visible(c: char) -> bool {
    !matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

#[cfg(test)]
mod tests;
