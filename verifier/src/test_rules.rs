//! `verifier test-rules`: whether the rules say what is expected of them.

use std::path::PathBuf;

use clap::Args;
use shared::cli::{CommonArgs, Exit};
use verifier::app;

use crate::{Failure, SettingFlags, load};

/// `test-rules …`
#[derive(Debug, Args)]
pub(crate) struct TestRules {
    /// The table of cases, in TOML
    #[arg(value_name = "FILE")]
    table: PathBuf,
    #[command(flatten)]
    settings: SettingFlags,
}

impl TestRules {
    pub(crate) fn run(self, common: &CommonArgs) -> Result<(), Failure> {
        let settings = load(common, &self.settings)?;
        let (cases, differences) = app::test_rules(&settings, &self.table).map_err(Failure::start)?;
        for difference in &differences {
            println!("{difference}");
        }
        if differences.is_empty() {
            println!("{cases} cases, all as expected");
            return Ok(());
        }
        Err(Failure {
            exit: Exit::Failed,
            message: format!("{} of {cases} cases are decided otherwise", differences.len()),
        })
    }
}
