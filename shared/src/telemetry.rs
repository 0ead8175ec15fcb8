//! Logs, and the ids by which the log lines of one request are found.

mod request_id;
mod trace_context;

use std::fmt;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

pub use request_id::{REQUEST_ID, RequestId};
pub use trace_context::{TRACEPARENT, TraceContext};

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Text where a person reads, JSON where a program does.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

/// Logs that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is no level and no filter.
    #[error(
        "the log level `{level}` is not understood: expected `error`, `warn`, `info`, `debug`, `trace`, or a filter \
         such as `info,shared::serve=debug`"
    )]
    Level {
        /// As it was given.
        level: String,
        /// Why, if the filter's syntax is at fault.
        source: Option<ParseError>,
    },
    /// Something logs already.
    #[error("logging was set up twice")]
    Twice(#[from] TryInitError),
}

/// What is logged where nothing is asked for.
const DEFAULT_LEVEL: &str = "info";

/// Starts logging to standard error. `level` is what a flag said; without it the environment variable `RUST_LOG`
/// counts, and without that it is `info`. Colours are for terminals, and only if `NO_COLOR` is unset or empty.
///
/// # Errors
///
/// [`TelemetryError`] if the level is not understood, or logging was started before.
pub fn init(format: Option<LogFormat>, level: Option<&str>) -> Result<(), TelemetryError> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = level.or(from_environment.as_deref()).unwrap_or(DEFAULT_LEVEL);
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = io::stderr().is_terminal() && !no_color;
    let format = format.unwrap_or_else(LogFormat::for_stderr);
    subscriber(format, level, colours, io::stderr)?.try_init()?;
    Ok(())
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    colours: bool,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let not_understood = |source| TelemetryError::Level {
        level: level.to_owned(),
        source,
    };
    // A single word would be taken for the name of a module, and everything else would fall silent.
    let single_word = level.bytes().all(|c| c.is_ascii_alphanumeric());
    if single_word && level.parse::<LevelFilter>().is_err() {
        return Err(not_understood(None));
    }
    let filter = EnvFilter::try_new(level).map_err(|source| not_understood(Some(source)))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Text => Box::new(builder.with_ansi(colours).finish()),
        LogFormat::Json => Box::new(
            builder
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .finish(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str, colours: bool) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(format, level, colours, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("request", id = "r1").entered();
            tracing::info!(port = 8080, "listening");
            tracing::debug!("details");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_is_one_object_a_line() {
        let text = logged(LogFormat::Json, "debug", true);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "listening");
        assert_eq!(lines[0]["port"], 8080);
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["span"]["id"], "r1");
    }

    #[test]
    fn text_has_colours_only_if_asked_and_levels_filter() {
        let plain = logged(LogFormat::Text, "info", false);
        assert!(
            plain.contains("listening") && plain.contains("port=8080"),
            "{plain}"
        );
        assert!(!plain.contains('\u{1b}') && !plain.contains("details"), "{plain}");
        assert!(logged(LogFormat::Text, "info", true).contains('\u{1b}'));
        assert_eq!(logged(LogFormat::Text, "error", false), "");
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for level in ["shared=loud", "verbose"] {
            let error = subscriber(LogFormat::Text, level, false, io::sink)
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.starts_with(&format!("the log level `{level}` is not understood: expected")),
                "{error}"
            );
        }
        for level in ["info", "off", "info,shared::serve=debug", "shared::serve"] {
            assert!(
                subscriber(LogFormat::Text, level, false, io::sink).is_ok(),
                "{level}"
            );
        }
    }
}
