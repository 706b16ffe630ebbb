//! Quoting of names and texts in SQL.

use super::Engine;

/// Returns a name as an identifier of SQL.
pub fn quoted(engine: Engine, name: &str) -> String {
    match engine {
        Engine::Mysql => format!("`{}`", name.replace('`', "``")),
        Engine::Postgres | Engine::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Returns a text as a literal of SQL.
pub fn literal(engine: Engine, text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match engine {
        // A backslash starts an escape sequence.
        Engine::Mysql => format!("'{}'", doubled.replace('\\', "\\\\")),
        Engine::Postgres if text.contains('\\') => {
            format!("E'{}'", doubled.replace('\\', "\\\\"))
        }
        Engine::Postgres | Engine::Sqlite => format!("'{doubled}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_names_and_texts() {
        let name = "a\"b`c'; DROP DATABASE x; --";
        assert_eq!(
            quoted(Engine::Postgres, name),
            "\"a\"\"b`c'; DROP DATABASE x; --\""
        );
        assert_eq!(
            quoted(Engine::Mysql, name),
            "`a\"b``c'; DROP DATABASE x; --`"
        );
        let text = r"it's \";
        assert_eq!(literal(Engine::Postgres, text), r"E'it''s \\'");
        assert_eq!(literal(Engine::Mysql, text), r"'it''s \\'");
        assert_eq!(literal(Engine::Sqlite, text), r"'it''s \'");
        assert_eq!(literal(Engine::Postgres, "shop"), "'shop'");
    }
}
