//! Labels: which roles satisfy each.

use shared::id::{LabelId, RoleId};
use shared::label::LabelName;
use shared::time::UnixMillis;

use super::sql::{Statement, args, defect};
use super::{Page, PageRequest, Row, StoreError, Work};

/// A label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its place in lists.
    pub id: LabelId,
    /// Its name.
    pub name: LabelName,
    /// Whether everybody satisfies it.
    pub anonymous: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Names of the roles that satisfy it, in order.
    pub roles: Vec<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last changed.
    pub updated_at: UnixMillis,
}

fn read(row: &Row) -> Result<Label, StoreError> {
    Ok(Label {
        id: row.id("id")?,
        name: name(row, "name")?,
        anonymous: row.flag("anonymous")?,
        description: row.text_or_null("description")?,
        roles: Vec::new(),
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}

/// A label's name, which nobody but us wrote.
pub(super) fn name(row: &Row, column: &str) -> Result<LabelName, StoreError> {
    let name = row.text(column)?;
    name.parse()
        .map_err(|_| defect(format!("{column} is no label name: {name:?}")))
}

/// Numbers `count` changes, and gives the number before the first. Nobody else changes labels or films until the unit of
/// work ends. The relay is woken when that is committed.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn begin_changes(work: &mut Work, count: u64) -> Result<i64, StoreError> {
    const NUMBER: Statement = Statement::each(
        "WITH moved AS (UPDATE label_clock SET change = change + $1 RETURNING change) \
         SELECT change - $1 AS before, pg_notify('usher_outbox', '') FROM moved",
        "UPDATE label_clock SET change = change + $1 RETURNING change - $1 AS before",
    );
    let count = i64::try_from(count).map_err(|_| defect("too many changes at once".to_owned()))?;
    let before = work.fetch_one(&NUMBER, args![count]).await?.number("before")?;
    work.note_labels();
    Ok(before)
}

/// The label of this name.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn by_name(work: &mut Work, name: &LabelName) -> Result<Option<Label>, StoreError> {
    const BY_NAME: Statement = Statement::both(
        "SELECT id, name, anonymous, description, created_at, updated_at FROM labels \
         WHERE name = $1 AND NOT deleted",
    );
    let row = work.fetch_optional(&BY_NAME, args![name.as_str()]).await?;
    let Some(mut label) = row.as_ref().map(read).transpose()? else {
        return Ok(None);
    };
    label.roles = role_names(work, name).await?;
    Ok(Some(label))
}

async fn role_names(work: &mut Work, name: &LabelName) -> Result<Vec<String>, StoreError> {
    const ROLES: Statement = Statement::both(
        "SELECT r.name FROM label_roles lr JOIN roles r ON r.id = lr.role_id WHERE lr.label = $1 ORDER BY r.name",
    );
    let rows = work.fetch_all(&ROLES, args![name.as_str()]).await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// A page of the labels, newest first.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn list(work: &mut Work, page: PageRequest) -> Result<Page<Label>, StoreError> {
    const LIST: Statement = Statement::both(
        "SELECT id, name, anonymous, description, created_at, updated_at FROM labels \
         WHERE NOT deleted AND id < $1 ORDER BY id DESC LIMIT $2",
    );
    let rows = work
        .fetch_all(&LIST, args![page.before_or_end(), page.limit_and_one()])
        .await?;
    let mut page = page.page(&rows, read, |label| label.id.0)?;
    for label in &mut page.items {
        label.roles = role_names(work, &label.name).await?;
    }
    Ok(page)
}

/// The names of all labels that there are.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn names(work: &mut Work) -> Result<Vec<LabelName>, StoreError> {
    const NAMES: Statement = Statement::both("SELECT name FROM labels WHERE NOT deleted ORDER BY name");
    let rows = work.fetch_all(&NAMES, args![]).await?;
    rows.iter().map(|row| name(row, "name")).collect()
}

/// The ids of roles by their names, each role kept from going until the unit of work ends. Names that no role has are
/// left out.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn hold_roles(work: &mut Work, names: &[String]) -> Result<Vec<(RoleId, String)>, StoreError> {
    const HOLD: Statement = Statement::each(
        "SELECT id, name FROM roles WHERE name IN (SELECT jsonb_array_elements_text($1::jsonb)) \
         ORDER BY id FOR KEY SHARE",
        "SELECT id, name FROM roles WHERE name IN (SELECT value FROM json_each($1)) ORDER BY id",
    );
    let names = serde_json::Value::from(names).to_string();
    let rows = work.fetch_all(&HOLD, args![names.as_str()]).await?;
    rows.iter()
        .map(|row| Ok((row.id("id")?, row.text("name")?)))
        .collect()
}

/// A label as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct LabelValue<'a> {
    /// Whether everybody satisfies it.
    pub anonymous: bool,
    /// What it is for.
    pub description: Option<&'a str>,
    /// The roles that satisfy it.
    pub roles: &'a [RoleId],
}

/// Makes a label, or changes it. `id` is for one that is new.
///
/// # Errors
///
/// [`StoreError::Gone`] if a role is.
pub async fn put(
    work: &mut Work,
    name: &LabelName,
    id: LabelId,
    value: LabelValue<'_>,
) -> Result<(), StoreError> {
    const PUT: Statement = Statement::both(
        "INSERT INTO labels (name, id, anonymous, description, created_at, updated_at, change) \
         VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (name) DO UPDATE SET \
         id = CASE WHEN labels.deleted THEN excluded.id ELSE labels.id END, \
         created_at = CASE WHEN labels.deleted THEN excluded.created_at ELSE labels.created_at END, \
         anonymous = excluded.anonymous, description = excluded.description, updated_at = excluded.updated_at, \
         deleted = false, change = excluded.change",
    );
    const FORGET: Statement = Statement::both("DELETE FROM label_roles WHERE label = $1");
    const ADD: Statement = Statement::both("INSERT INTO label_roles (label, role_id) VALUES ($1, $2)");
    let change = begin_changes(work, 1).await? + 1;
    let now = work.now().await?;
    let arguments = args![
        name.as_str(),
        id.0,
        value.anonymous,
        value.description,
        now,
        change
    ];
    work.execute(&PUT, arguments).await?;
    work.execute(&FORGET, args![name.as_str()]).await?;
    for role in value.roles {
        work.execute(&ADD, args![name.as_str(), *role]).await?;
    }
    Ok(())
}

/// Deletes a label that no film carries.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn delete(work: &mut Work, name: &LabelName) -> Result<(), StoreError> {
    const DELETE: Statement =
        Statement::both("UPDATE labels SET deleted = true, change = $2, description = NULL WHERE name = $1");
    const FORGET: Statement = Statement::both("DELETE FROM label_roles WHERE label = $1");
    let change = begin_changes(work, 1).await? + 1;
    work.execute(&DELETE, args![name.as_str(), change]).await?;
    work.execute(&FORGET, args![name.as_str()]).await.map(|_| ())
}

/// Says that a role is called otherwise, or about to be deleted: what refers to it has changed.
///
/// # Errors
///
/// [`StoreError`] if the database does not answer.
pub async fn touch_role(work: &mut Work, role: RoleId) -> Result<(), StoreError> {
    const ANY: Statement = Statement::both("SELECT label FROM label_roles WHERE role_id = $1 ORDER BY label");
    const TOUCH: Statement = Statement::both("UPDATE labels SET change = $2 WHERE name = $1");
    let rows = work.fetch_all(&ANY, args![role]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut change = begin_changes(work, count).await?;
    for row in &rows {
        change += 1;
        work.execute(&TOUCH, args![row.text("label")?.as_str(), change])
            .await?;
    }
    Ok(())
}
