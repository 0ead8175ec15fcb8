//! `user export`.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use crate::command::bulk::write_out;
use crate::service::{ExportedUser, Service};

/// Writes everybody. Who is changed meanwhile is written as they were or as they are.
pub(super) async fn export(output: Option<&Path>, service: &Service) -> Result<(), Box<dyn Error>> {
    write_out(output, async |output: &mut dyn Write| {
        let mut after = String::new();
        loop {
            let page = service.user_page(&after).await?;
            for user in &page {
                serde_json::to_writer(&mut *output, &ExportedUser::of(user))?;
                writeln!(output)?;
            }
            match page.last() {
                Some(last) => after.clone_from(&last.login),
                None => return Ok(()),
            }
        }
    })
    .await
}
