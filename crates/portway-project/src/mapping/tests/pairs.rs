//! Addresses in two variables.

use super::super::{Endpoint, Mapping, Origin};
use super::{endpoint, mapped, shop, templates, variable};

#[test]
fn maps_a_host_and_a_port_in_two_variables() {
    for (pairs, expected) in [
        (
            &[("DB_HOST", "localhost"), ("DB_PORT", "5432")][..],
            &[("DB_PORT", "{db.port}")][..],
        ),
        (
            &[("POSTGRES_SERVER", "db"), ("POSTGRES_PORT", "5432")],
            &[
                ("POSTGRES_SERVER", "{db.host}"),
                ("POSTGRES_PORT", "{db.port}"),
            ],
        ),
        (
            &[("DB_HOST", "db")],
            &[("DB_HOST", "{db.host}"), ("DB_PORT", "{db.port}")],
        ),
        (&[("PGPORT", "5432")], &[("PGPORT", "{db.port}")]),
        (&[("PGPORT", "5999")], &[("PGPORT", "{db.port}")]),
        (
            &[("REDISHOST", "redis"), ("REDISPORT", "6379")],
            &[("REDISHOST", "{redis.host}"), ("REDISPORT", "{redis.port}")],
        ),
        (
            &[("DBHOST", "db"), ("DBPORT", "5432")],
            &[("DBHOST", "{db.host}"), ("DBPORT", "{db.port}")],
        ),
        (
            &[("dbHost", "db"), ("dbPort", "5432")],
            &[("dbHost", "{db.host}"), ("dbPort", "{db.port}")],
        ),
        (
            &[("redisHost", "redis")],
            &[("redisHost", "{redis.host}"), ("redisPort", "{redis.port}")],
        ),
        (&[("dbHost", "db.example.com"), ("dbPort", "5432")], &[]),
        (&[("MYSQLPORT", "3307"), ("XREDISPORT", "6380")], &[]),
        (&[("REDIS_PORT", "6380")], &[("REDIS_PORT", "{redis.port}")]),
        (
            &[("BACKEND_PORT", "8000")],
            &[("BACKEND_PORT", "{api.port}")],
        ),
        // The host is another machine, or the number is another service's.
        (&[("DB_HOST", "db.example.com"), ("DB_PORT", "5432")], &[]),
        (&[("REDIS_PORT", "8000")], &[]),
        (&[("SMTP_PORT", "1025")], &[]),
        (&[("TIMEOUT", "8000")], &[]),
    ] {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(templates(&mapped(pairs)), expected, "{pairs:?}");
    }
}

#[test]
fn an_example_may_leave_the_host_of_the_only_database_empty() {
    let map = |services: &[Endpoint], pairs: &[(&str, &str)], origin| {
        let all: Vec<_> = pairs
            .iter()
            .map(|(name, value)| variable(name, value, origin))
            .collect();
        templates(&Mapping::new("api", &all, services, true, &[]))
    };
    for (pairs, expected) in [
        (
            &[("DB_HOST", ""), ("DB_PORT", ""), ("DB_USER", "")][..],
            &[("DB_HOST", "{db.host}"), ("DB_PORT", "{db.port}")][..],
        ),
        (
            &[("APP_DB_HOST", "")],
            &[("APP_DB_HOST", "{db.host}"), ("APP_DB_PORT", "{db.port}")],
        ),
        (
            &[("REDIS_HOST", ""), ("REDIS_PORT", "6379")],
            &[
                ("REDIS_HOST", "{redis.host}"),
                ("REDIS_PORT", "{redis.port}"),
            ],
        ),
        (
            &[("PGHOST", " ")],
            &[("PGHOST", "{db.host}"), ("PGPORT", "{db.port}")],
        ),
        // Another database, a page, and what no service is.
        (&[("TEST_DB_HOST", "")], &[]),
        (&[("APP_HOST", ""), ("WEB_HOST", ""), ("API_PORT", "")], &[]),
        (&[("SMTP_HOST", ""), ("MONGO_HOST", "")], &[]),
    ] {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(map(&shop(), pairs, Origin::Example), expected, "{pairs:?}");
        // The user's own file says that there is none.
        assert_eq!(
            map(&shop(), pairs, Origin::File)
                .iter()
                .filter(|(name, _)| name.ends_with("HOST"))
                .count(),
            0
        );
    }
    let mut two = shop();
    two.push(endpoint("other", crate::kind::Kind::Mysql, &[3306]));
    assert_eq!(map(&two, &[("SQL_HOST", "")], Origin::Example), []);
}
