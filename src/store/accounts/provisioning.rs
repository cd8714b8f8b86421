//! Fields that the configuration file has set: they are the file's for as long as they stand in it.

use crate::error::Result;
use crate::store::engine::transaction::Transaction;

/// Gives back every field that the file has set: its value stays, as if a call had set it. The file as it is now then
/// takes again what it still declares.
pub fn give_back(tx: &Transaction<'_>) -> Result<()> {
    const SQL: [&str; 2] = [
        r#"UPDATE customers SET sources = replace(sources, ':"file"', ':"call"') WHERE instr(sources, ':"file"') > 0"#,
        r#"UPDATE accounts SET sources = replace(sources, ':"file"', ':"call"') WHERE instr(sources, ':"file"') > 0"#,
    ];
    for sql in SQL {
        tx.prepare_cached(sql)?.execute([])?;
    }
    Ok(())
}
