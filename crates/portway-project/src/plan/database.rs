//! Checks the database that a service declares.

use crate::database::{DatabaseAddress, is_file};
use crate::diagnostic::Problem;
use crate::manifest::Database;

/// Rejects a database that cannot be created or that no variable can refer to.
pub(super) fn check(database: &Database) -> Result<(), Problem> {
    let Database { template, url, env } = database;
    let name = template.get_ref();
    if name.trim().is_empty() || name.contains(char::is_control) {
        return Err(
            Problem::at(template.span(), "the template of the database has no name")
                .help("write the name of the database to copy: `template = \"shop_dev\"`"),
        );
    }
    if let Some(url) = url
        && !is_file(name)
        && DatabaseAddress::parse(url.get_ref()).is_none()
    {
        return Err(Problem::at(
            url.span(),
            "the `url` of the database is not the address of a PostgreSQL or MySQL server",
        )
        .help("write it as `postgresql://USER@HOST:PORT/NAME` or `mysql://USER@HOST:PORT/NAME`"));
    }
    for variable in env {
        let name = variable.get_ref();
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` is not a valid variable name", name.escape_debug());
            return Err(Problem::at(variable.span(), message).help(
                "use a name that is not empty and contains neither `=` nor a NUL character",
            ));
        }
    }
    Ok(())
}
