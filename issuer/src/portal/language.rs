//! The language of a page: what somebody chose, else what the browser asks for, else English.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use shared::credentials;

use super::text::{ENGLISH, RUSSIAN, Text};

/// Remembers what somebody chose.
const COOKIE: &str = "__Host-language";

/// How long that is remembered, in seconds: a year.
const REMEMBERED_S: u32 = 365 * 24 * 60 * 60;

/// Ranges of an `Accept-Language` that are looked at. Browsers send fewer than ten.
const RANGES_MAX: usize = 32;

/// A language that the pages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Russian,
}

impl Language {
    /// Every one.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// Its tag (RFC 5646).
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// What it calls itself.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Russian => "Русский",
        }
    }

    /// The texts of the pages.
    pub(super) const fn text(self) -> &'static Text {
        match self {
            Self::English => &ENGLISH,
            Self::Russian => &RUSSIAN,
        }
    }

    /// The language of a tag, whatever region or script follows it.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or(tag);
        Self::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The language to answer a request in.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = credentials::cookie(headers, COOKIE).ok().flatten();
        let accepted = || {
            let accepted = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
            preferred(accepted)
        };
        chosen
            .and_then(Self::of_tag)
            .or_else(accepted)
            .unwrap_or(Self::English)
    }

    /// `Set-Cookie` that remembers it.
    pub(super) fn cookie(self) -> String {
        let tag = self.tag();
        format!("{COOKIE}={tag}; Max-Age={REMEMBERED_S}; Path=/; Secure; HttpOnly; SameSite=Lax")
    }
}

/// The language of ours with the greatest weight; of several the first (RFC 9110 section 12.5.4).
fn preferred(accepted: &str) -> Option<Language> {
    let ranges = accepted.split(',').take(RANGES_MAX).filter_map(|range| {
        let (tag, weight) = match range.split_once(';') {
            None => (range, 1.0),
            Some((tag, weight)) => (tag, weight.trim().strip_prefix("q=")?.parse().ok()?),
        };
        let language = Language::of_tag(tag.trim())?;
        let counts = weight > 0.0 && weight <= 1.0;
        counts.then_some((language, weight))
    });
    let best = |best: Option<(Language, f32)>, next: (Language, f32)| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    };
    ranges.fold(None, best).map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::COOKIE as COOKIE_HEADER;

    use super::*;

    #[test]
    fn the_greatest_weight_decides() {
        for (accepted, language) in [
            ("ru", Some(Language::Russian)),
            ("ru-RU,ru;q=0.9,en;q=0.8", Some(Language::Russian)),
            ("en;q=0.8, RU;q=0.9", Some(Language::Russian)),
            ("en-GB,ru;q=0.9", Some(Language::English)),
            ("de, fr;q=0.9, ru;q=0.1", Some(Language::Russian)),
            ("ru;q=0, en;q=0.1", Some(Language::English)),
            ("ru;q=2", None),
            ("ru;q=NaN", None),
            ("*", None),
            ("", None),
            ("rus", None),
        ] {
            assert_eq!(preferred(accepted), language, "{accepted}");
        }
    }

    #[test]
    fn what_was_chosen_goes_before_what_the_browser_asks_for() {
        let mut headers = HeaderMap::new();
        assert_eq!(Language::of(&headers), Language::English);
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
        headers.insert(COOKIE_HEADER, HeaderValue::from_static("__Host-language=ru"));
        assert_eq!(Language::of(&headers), Language::Russian);
        headers.insert(COOKIE_HEADER, HeaderValue::from_static("__Host-language=xx"));
        assert_eq!(Language::of(&headers), Language::English);
    }
}
