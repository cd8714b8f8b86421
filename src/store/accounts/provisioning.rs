//! Fields set by the configuration file, which owns them for as long as it declares them.

use crate::error::Result;
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;

/// Releases every field that the file has set: its value stays, as if set by a call. The current file then takes back the
/// fields that it still declares.
pub fn give_back(tx: &Transaction<'_>) -> Result<()> {
    const SQL: [&str; 2] = [
        r#"UPDATE customers SET sources = replace(sources, ':"file"', ':"call"') WHERE instr(sources, ':"file"') > 0"#,
        r#"UPDATE accounts SET sources = replace(sources, ':"file"', ':"call"') WHERE instr(sources, ':"file"') > 0"#,
    ];
    for sql in SQL {
        query::execute(tx, sql, [])?;
    }
    Ok(())
}
