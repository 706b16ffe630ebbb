use super::*;

/// The parts of an address in one line, and the text with another name.
fn parsed(text: &str) -> Option<(String, String)> {
    let one = DatabaseAddress::parse(text)?;
    let parts = format!(
        "{:?} {} {} {}:{} {}",
        one.server.engine,
        one.user,
        one.password.as_deref().unwrap_or("-"),
        one.server.host,
        one.server.port,
        one.name
    );
    Some((parts, one.with_name("fix_shop")))
}

#[test]
fn replaces_only_the_name_in_every_form() {
    for (text, parts, changed) in [
        (
            "postgresql://app:s%40cret@127.0.0.1:5432/shop_dev?sslmode=disable#x",
            "Postgres app s@cret localhost:5432 shop_dev",
            "postgresql://app:s%40cret@127.0.0.1:5432/fix_shop?sslmode=disable#x",
        ),
        (
            "postgresql+asyncpg://app@localhost/shop",
            "Postgres app - localhost:5432 shop",
            "postgresql+asyncpg://app@localhost/fix_shop",
        ),
        (
            "postgres://app:p/w?d@db.example:6432/shop?a=1",
            "Postgres app p/w?d db.example:6432 shop",
            "postgres://app:p/w?d@db.example:6432/fix_shop?a=1",
        ),
        (
            "postgres:///shop?host=/var/run/postgresql",
            "Postgres  - /var/run/postgresql:5432 shop",
            "postgres:///fix_shop?host=/var/run/postgresql",
        ),
        (
            "postgres://[::1]:5433/shop",
            "Postgres  - localhost:5433 shop",
            "postgres://[::1]:5433/fix_shop",
        ),
        (
            "postgres://app@localhost?x=a@b",
            "Postgres app - localhost:5432 ",
            "postgres://app@localhost/fix_shop?x=a@b",
        ),
        (
            "postgres://app:{x}@localhost:{db.port}/shop",
            "Postgres app {x} localhost:{db.port} shop",
            "postgres://app:{x}@localhost:{db.port}/fix_shop",
        ),
        (
            "jdbc:postgresql://localhost:5432/shop?user=app&password=pw",
            "Postgres app pw localhost:5432 shop",
            "jdbc:postgresql://localhost:5432/fix_shop?user=app&password=pw",
        ),
        (
            "ecto://app:pw@localhost/shop",
            "Postgres app pw localhost:5432 shop",
            "ecto://app:pw@localhost/fix_shop",
        ),
        (
            "mysql+pymysql://root:@localhost/shop?charset=utf8mb4",
            "Mysql root  localhost:3306 shop",
            "mysql+pymysql://root:@localhost/fix_shop?charset=utf8mb4",
        ),
        (
            "app:p@ss@tcp(127.0.0.1:3307)/shop?parseTime=true",
            "Mysql app p@ss localhost:3307 shop",
            "app:p@ss@tcp(127.0.0.1:3307)/fix_shop?parseTime=true",
        ),
        (
            "host=localhost port=5433 dbname='shop' user=app password=pw",
            "Postgres app pw localhost:5433 shop",
            "host=localhost port=5433 dbname='fix_shop' user=app password=pw",
        ),
        (
            "Host=localhost;Port=5432; Database = shop ;Username=app;Password=pw",
            "Postgres app pw localhost:5432 shop",
            "Host=localhost;Port=5432; Database = fix_shop ;Username=app;Password=pw",
        ),
        (
            "Server=localhost;Database=shop;Uid=root;Pwd=pw",
            "Mysql root pw localhost:3306 shop",
            "Server=localhost;Database=fix_shop;Uid=root;Pwd=pw",
        ),
    ] {
        let (found, rewritten) = parsed(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((found.as_str(), rewritten.as_str()), (parts, changed));
    }
}

#[test]
fn other_texts_are_no_addresses() {
    for text in [
        "",
        "shop",
        "shop_dev",
        "sqlite:///data/app.db",
        "file:./dev.db",
        "http://localhost:8000/shop",
        "redis://localhost:6379/0",
        "a=b",
        "Data Source=app.db",
    ] {
        assert_eq!(parsed(text), None, "{text}");
    }
}

#[test]
fn passwords_are_not_part_of_debug_output() {
    let address = DatabaseAddress::parse("postgres://app:hunter2@localhost/shop").unwrap();
    assert!(!format!("{address:?}").contains("hunter2"));
}
