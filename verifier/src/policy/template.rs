//! Path templates: what a rule's `path` may say.

use std::fmt;

use shared::limits::TEMPLATE_SEGMENTS_MAX;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This very text, decoded and case-sensitive.
    Literal(Box<str>),
    /// `{name}`: any one segment.
    One(Box<str>),
}

/// A compiled path template, such as `/api/v1/films/{film_id}` or `/api/v1/admin/{*rest}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Box<[Segment]>,
    has_rest: bool,
}

/// Why a text is no template; the second sentence says what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with `/`.
    #[error("a path begins with a slash; write \"/{0}\"")]
    NoSlash(String),
    /// It names a query or a fragment.
    #[error("rules match the path alone; leave out everything from the `{0}` on")]
    QueryOrFragment(char),
    /// Doubled slashes, which no request that is judged can have.
    #[error("a path with an empty segment is always refused; write one slash")]
    EmptySegment,
    /// A dot segment, which no request that is judged can have.
    #[error("a path with the segment `{0}` is always refused; write the path that is meant")]
    DotSegment(String),
    /// A character that no request that is judged can have.
    #[error("a path with the character {0:?} is always refused; leave it out")]
    Character(char),
    /// Percent-encoding: rules are about decoded paths.
    #[error("rules match the decoded path; write the character itself instead of `{0}`")]
    Encoded(String),
    /// Braces that are not the whole segment.
    #[error(
        "`{0}` is neither a text nor a placeholder; a placeholder is a whole segment, `{{name}}` or `{{*rest}}`"
    )]
    Braces(String),
    /// A wildcard of some other language.
    #[error(
        "`{0}` would match that very text; write `{{name}}` for one segment or `{{*rest}}` for any number"
    )]
    Asterisk(String),
    /// A placeholder's name is none.
    #[error("`{0}` is no name; use small letters, digits and `_`, a letter first")]
    Name(String),
    /// A placeholder's name stands twice.
    #[error("the placeholder `{0}` stands twice; give each a name of its own")]
    NameTwice(String),
    /// `{*rest}` before the end.
    #[error("`{{*{0}}}` matches all that is left; it can only stand at the end")]
    RestNotLast(String),
    /// Too many segments.
    #[error("a path has at most {TEMPLATE_SEGMENTS_MAX} segments here; shorten it, perhaps with `{{*rest}}`")]
    TooLong,
}

impl Template {
    /// Compiles a template. A trailing slash makes no difference.
    ///
    /// # Errors
    ///
    /// A [`TemplateError`] for what no path could match, or what would match something else than it seems to.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let Some(inner) = text.strip_prefix('/') else {
            return Err(TemplateError::NoSlash(text.to_owned()));
        };
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let mut segments = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        let mut rest = None;
        let parts = inner.split('/').take(if text == "/" { 0 } else { usize::MAX });
        for part in parts {
            if let Some(name) = rest {
                return Err(TemplateError::RestNotLast(name));
            }
            let name = match part_of(part)? {
                Part::Literal => {
                    segments.push(Segment::Literal(part.into()));
                    continue;
                }
                Part::One(name) => {
                    segments.push(Segment::One(name.into()));
                    name
                }
                Part::Rest(name) => {
                    rest = Some(name.to_owned());
                    name
                }
            };
            if names.contains(&name) {
                return Err(TemplateError::NameTwice(name.to_owned()));
            }
            names.push(name);
        }
        if segments.len() > TEMPLATE_SEGMENTS_MAX {
            return Err(TemplateError::TooLong);
        }
        Ok(Self {
            segments: segments.into(),
            has_rest: rest.is_some(),
        })
    }

    /// The segments before `{*rest}`.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Which segment the placeholder of this name is, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.segments
            .iter()
            .position(|segment| matches!(segment, Segment::One(own) if **own == *name))
    }

    /// Whether the template ends in `{*rest}`, which matches any number of segments, none included.
    pub fn has_rest(&self) -> bool {
        self.has_rest
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(f, "/{text}")?,
                Segment::One(name) => write!(f, "/{{{name}}}")?,
            }
        }
        match (self.has_rest, self.segments.is_empty()) {
            (true, _) => f.write_str("/{*rest}"),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

enum Part<'a> {
    Literal,
    One(&'a str),
    Rest(&'a str),
}

fn part_of(part: &str) -> Result<Part<'_>, TemplateError> {
    let placeholder = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
    if let Some(name) = placeholder {
        return match name.strip_prefix('*') {
            Some(name) => Ok(Part::Rest(checked_name(name)?)),
            None => Ok(Part::One(checked_name(name)?)),
        };
    }
    check_literal(part)?;
    Ok(Part::Literal)
}

fn checked_name(name: &str) -> Result<&str, TemplateError> {
    let well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if well_formed {
        Ok(name)
    } else {
        Err(TemplateError::Name(name.to_owned()))
    }
}

fn check_literal(part: &str) -> Result<(), TemplateError> {
    match part {
        "" => return Err(TemplateError::EmptySegment),
        "." | ".." => return Err(TemplateError::DotSegment(part.to_owned())),
        "*" | "**" => return Err(TemplateError::Asterisk(part.to_owned())),
        _ => {}
    }
    for (at, character) in part.char_indices() {
        match character {
            '?' | '#' => return Err(TemplateError::QueryOrFragment(character)),
            '{' | '}' => return Err(TemplateError::Braces(part.to_owned())),
            '\\' | ';' => return Err(TemplateError::Character(character)),
            '%' => {
                let digits = part.get(at + 1..at + 3).unwrap_or_default();
                if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(TemplateError::Encoded(format!("%{digits}")));
                }
            }
            _ if character.is_control() => return Err(TemplateError::Character(character)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_compile_to_segments() {
        let template = Template::parse("/api/v1/films/{film_id}/").unwrap();
        assert_eq!(
            template.segments(),
            [
                Segment::Literal("api".into()),
                Segment::Literal("v1".into()),
                Segment::Literal("films".into()),
                Segment::One("film_id".into()),
            ]
        );
        assert!(!template.has_rest());
        assert_eq!(template.position("film_id"), Some(3));
        assert_eq!(template.position("films"), None);
        assert_eq!(Template::parse("/{a}/{*rest}").unwrap().position("rest"), None);
        assert_eq!(Template::parse("/api"), Template::parse("/api/"));

        let rest = Template::parse("/{*rest}").unwrap();
        assert!(rest.segments().is_empty() && rest.has_rest());
        let root = Template::parse("/").unwrap();
        assert!(root.segments().is_empty() && !root.has_rest());
        assert!(Template::parse("/кино/a b/100%/a*").is_ok());
    }

    #[test]
    fn a_template_is_shown_as_it_was_written() {
        for text in ["/", "/a", "/a/{b}/c", "/a/{*rest}", "/{*rest}"] {
            assert_eq!(Template::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_could_not_match_is_refused() {
        use TemplateError::*;
        for (text, error) in [
            ("", NoSlash(String::new())),
            ("api", NoSlash("api".into())),
            ("{*rest}", NoSlash("{*rest}".into())),
            ("//", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a//", EmptySegment),
            ("/a/../b", DotSegment("..".into())),
            ("/.", DotSegment(".".into())),
            ("/a?b=c", QueryOrFragment('?')),
            ("/a#b", QueryOrFragment('#')),
            ("/a;b", Character(';')),
            ("/a\\b", Character('\\')),
            ("/a\tb", Character('\t')),
            ("/%D0%BA", Encoded("%D0".into())),
            ("/a%20b", Encoded("%20".into())),
            ("/a{b}", Braces("a{b}".into())),
            ("/{a}.json", Braces("{a}.json".into())),
            ("/*", Asterisk("*".into())),
            ("/a/**", Asterisk("**".into())),
            ("/{}", Name(String::new())),
            ("/{*}", Name(String::new())),
            ("/{A}", Name("A".into())),
            ("/{1a}", Name("1a".into())),
            ("/{a}/{a}", NameTwice("a".into())),
            ("/{a}/{*a}", NameTwice("a".into())),
            ("/{*rest}/a", RestNotLast("rest".into())),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
        assert_eq!(
            Template::parse(&"/a".repeat(TEMPLATE_SEGMENTS_MAX + 1)),
            Err(TooLong)
        );
    }
}
