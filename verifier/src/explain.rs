//! `verifier explain`: why a request is answered as it is.

use std::io::{self, BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use shared::cli::{CommonArgs, Exit};
use shared::limits::TOKEN_BYTES_MAX;
use verifier::app;
use verifier::http::admin::EXPLAIN;
use verifier::http::explain::{Explanation, Inquiry};

use crate::{Failure, SettingFlags, load};

/// A running verifier answers at once; one that does not is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// `explain …`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The request's method
    #[arg(long, value_name = "METHOD")]
    method: String,
    /// The request's target: path and perhaps a query
    #[arg(long, value_name = "TARGET")]
    uri: String,
    /// The request's host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Read the request's access token from standard input, one line; it is never shown
    #[arg(long)]
    token_stdin: bool,
    /// Ask the running verifier on this Unix socket, one of its `admin_listen`
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    settings: SettingFlags,
}

/// How something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Explain {
    pub(crate) fn run(self, common: &CommonArgs) -> Result<(), Failure> {
        let inquiry = Inquiry {
            method: self.method,
            uri: self.uri,
            host: self.host,
            token: self.token_stdin.then(read_token).transpose()?,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::failed)?;
        let (explanation, notes) = if let Some(socket) = self.socket {
            (runtime.block_on(ask(&socket, &inquiry))?, Vec::new())
        } else {
            let settings = load(common, &self.settings)?;
            let explained = runtime.block_on(app::explain(&settings, &inquiry));
            let explained = explained.map_err(Failure::start)?;
            (explained.explanation, explained.notes)
        };
        for note in notes {
            eprintln!("note: {note}");
        }
        match self.output {
            Output::Text => println!("{explanation}"),
            Output::Json => println!(
                "{}",
                serde_json::to_string_pretty(&explanation).map_err(Failure::failed)?
            ),
        }
        Ok(())
    }
}

/// One line, without its end.
fn read_token() -> Result<String, Failure> {
    let mut line = String::new();
    let bytes_max = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX) + 3;
    io::stdin()
        .lock()
        .take(bytes_max)
        .read_line(&mut line)
        .map_err(Failure::failed)?;
    let token = line.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        return Err(Failure {
            exit: Exit::Misused,
            message: "--token-stdin: there is no token on standard input".to_owned(),
        });
    }
    Ok(token.to_owned())
}

/// Asks the verifier that runs. The token goes through its Unix socket and nowhere else.
async fn ask(socket: &Path, inquiry: &Inquiry) -> Result<Explanation, Failure> {
    // Without one no client can be made, though there is no TLS on a Unix socket.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .unix_socket(socket)
        .no_proxy()
        .tls_certs_only([])
        .timeout(ANSWER_WITHIN)
        .build()
        .map_err(Failure::failed)?;
    let answer = client
        .post(format!("http://verifier{EXPLAIN}"))
        .json(inquiry)
        .send()
        .await
        .map_err(Failure::failed)?;
    let status = answer.status();
    if !status.is_success() {
        let said = answer.text().await.unwrap_or_default();
        return Err(Failure {
            exit: Exit::Failed,
            message: format!("{} answers {status}: {said}", socket.display()),
        });
    }
    answer.json().await.map_err(Failure::failed)
}
