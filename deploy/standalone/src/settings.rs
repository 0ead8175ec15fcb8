//! The settings of `usher`: the issuer's and the verifier's in one file, made to fit each other.

use std::path::PathBuf;

use serde::Deserialize;
use shared::config::{self, ConfigError, HttpUrl, Invalid, Sources};
use shared::serve::BoundAddress;

/// Where the data are, if nothing is said.
const DATA_DIR: &str = "data";

/// Both halves.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// `[issuer]`
    pub(crate) issuer: issuer::settings::Settings,
    /// `[verifier]`
    pub(crate) verifier: verifier::settings::Settings,
}

impl config::Settings for Settings {
    fn check(&self) -> Result<(), Invalid> {
        config::Settings::check(&self.issuer).map_err(|invalid| invalid.within("issuer"))?;
        config::Settings::check(&self.verifier).map_err(|invalid| invalid.within("verifier"))?;
        if !self.issuer.uses_sqlite() {
            let problem = "`usher` keeps its data in SQLite: expected `sqlite:PATH`; for PostgreSQL run `issuer` and \
                           `verifier`";
            return Err(Invalid::new("issuer.database.url", problem));
        }
        Ok(())
    }
}

/// What the flags said of settings.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SettingFlags {
    /// Folder of the database and the key that encrypts its secrets [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where the issuer listens: `host:port` or `unix:/path` [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) issuer_listen: Vec<String>,
    /// Where the verifier listens [default: 127.0.0.1:8081]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) verifier_listen: Vec<String>,
    /// Where health and metrics of both are [default: 127.0.0.1:9080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(crate) admin_listen: Vec<String>,
    /// The rules file; without it the rules of the demo are in force
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
}

impl SettingFlags {
    /// The settings that these flags, the environment, and a file make.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the key, what is wrong, and what would be right.
    pub(crate) fn load(&self, file: Option<PathBuf>) -> Result<Settings, ConfigError> {
        let database = |folder: &PathBuf| format!("sqlite:{}", folder.join("usher.db").display());
        let mut sources = Sources::new()
            .built_in(format!(
                "issuer.database.url = \"{}\"",
                database(&DATA_DIR.into())
            ))
            .environment("ISSUER", Some("issuer"))
            .environment("VERIFIER", Some("verifier"))
            .flag(
                "--data-dir",
                "issuer.database.url",
                self.data_dir.iter().map(database),
            )
            .flag("--issuer-listen", "issuer.listen", self.issuer_listen.clone())
            .flag(
                "--verifier-listen",
                "verifier.listen",
                self.verifier_listen.clone(),
            )
            .flag("--admin-listen", "issuer.admin_listen", self.admin_listen.clone())
            .flag(
                "--rules",
                "verifier.rules",
                self.rules.iter().map(|path| path.display().to_string()),
            );
        if let Some(file) = file {
            sources = sources.file(file);
        }
        config::load(&sources)
    }
}

impl Settings {
    /// Makes both halves agree, now that it is known where the issuer listens: its name follows the address, unless
    /// one was given, and the verifier takes what the issuer gives.
    pub(crate) fn agree(&mut self, issuer_address: &BoundAddress) {
        if self.issuer.public_url.is_none()
            && let BoundAddress::Tcp(address) = issuer_address
        {
            self.issuer.public_url =
                Some(reachable(issuer_address).unwrap_or_else(|| HttpUrl::loopback(address.port())));
        }
        let public_url = self.issuer.public_url();
        public_url.as_str().clone_into(&mut self.verifier.issuer);
        self.verifier.audience.clone_from(&self.issuer.audience);
        self.verifier.cookie.clone_from(&self.issuer.cookies.access_name);
    }

    /// Has the issuer's page show our verifier, now that it is known where its metrics are, unless others were named.
    pub(crate) fn list_verifier(&mut self, admin_address: &BoundAddress) {
        let verifiers = &mut self.issuer.portal.verifiers;
        if verifiers.is_empty() {
            verifiers.extend(reachable(admin_address));
        }
    }
}

/// The URL at which a listener is reached from this machine. `None` for a Unix socket.
pub(crate) fn reachable(address: &BoundAddress) -> Option<HttpUrl> {
    let BoundAddress::Tcp(address) = address else {
        return None;
    };
    if address.ip().is_unspecified() {
        return Some(HttpUrl::loopback(address.port()));
    }
    format!("http://{address}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[&str]) -> Result<Settings, String> {
        use clap::Parser;
        #[derive(Parser)]
        struct Program {
            #[command(flatten)]
            flags: SettingFlags,
        }
        let program = Program::parse_from([&["usher"], flags].concat());
        program.flags.load(None).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_say_where_things_are() {
        let settings = load(&["--data-dir", "/tmp/x y", "--verifier-listen", "127.0.0.1:1"]).unwrap();
        assert_eq!(settings.issuer.database.url.expose(), "sqlite:/tmp/x y/usher.db");
        assert_eq!(
            load(&[]).unwrap().issuer.database.url.expose(),
            "sqlite:data/usher.db"
        );
    }

    #[test]
    fn the_verifier_takes_what_the_issuer_gives() {
        let mut settings = load(&[]).unwrap();
        settings.issuer.audience = "films".into();
        settings.agree(&BoundAddress::Tcp("0.0.0.0:4321".parse().unwrap()));
        assert_eq!(settings.verifier.issuer, "http://127.0.0.1:4321");
        assert_eq!(settings.verifier.audience, "films");
        settings.agree(&BoundAddress::Tcp("127.0.0.1:99".parse().unwrap()));
        assert_eq!(
            settings.verifier.issuer, "http://127.0.0.1:4321",
            "a name that is given stays"
        );
    }
}
