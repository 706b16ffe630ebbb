//! Hosts and ports of containers, and of services that do not run.

use super::*;

#[test]
fn a_port_that_a_container_does_not_publish_is_no_other_port() {
    let container = |service: &str, name: Option<&str>, kind, usual, container| Endpoint {
        name: name.map(str::to_owned),
        container: Some(container),
        ..endpoint(service, kind, &[usual])
    };
    let services = [
        endpoint("api", Kind::Http, &[8000]),
        container("mail", None, Kind::Http, 1081, 1080),
        container("box", None, Kind::Http, 8025, 8025),
        container("box", Some("smtp"), Kind::Tcp, 2025, 1025),
        container("queue", None, Kind::Amqp, 5673, 5672),
        container("kafka", None, Kind::Tcp, 9092, 9092),
    ];
    let map = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        let all: Vec<_> = pairs
            .map(|(name, value)| variable(name, value, Origin::Compose))
            .collect();
        Mapping::new("api", &all, &services, false, &[])
    };
    for (name, value, expected) in [
        ("A", "http://mail:1080", "{mail.url}"),
        ("A", "http://mail:1081", "{mail.url}"),
        ("A", "http://mail/x", "{mail.url}/x"),
        ("A", "http://mail:4318", "http://mail:4318"),
        ("A", "http://queue:15672", "http://queue:15672"),
        ("A", "box:1025", "{box.host}:{box.ports.smtp}"),
        ("A", "kafka:29092", "{kafka.host}:{kafka.port}"),
        ("A", "http://api:3000", "{api.url}"),
        ("MAIL_URL", "smtp://localhost:1025", "smtp://localhost:1025"),
        ("MAIL_URL", "http://localhost:1090", "{mail.url}"),
    ] {
        let mapping = map(&[(name, value)]);
        let expected = vec![(name.to_owned(), expected.to_owned())];
        assert_eq!(templates(&mapping), expected, "{value}");
    }
    let mapping = map(&[("SMTP_HOST", "mail"), ("SMTP_PORT", "1025")]);
    assert_eq!(
        templates(&mapping)[1],
        ("SMTP_PORT".to_owned(), "1025".to_owned())
    );
    let mapping = map(&[("MAIL_HOST", "localhost"), ("MAIL_PORT", "1025")]);
    assert_eq!(
        templates(&mapping)[1],
        ("MAIL_PORT".to_owned(), "1025".to_owned())
    );
    let mapping = map(&[("A", "http://mail:4318")]);
    let meaning = &mapping.variables[0].meaning[0];
    assert!(meaning.contains("`mail` does not publish its port 4318"));
}

#[test]
fn the_host_of_a_service_that_is_off_is_this_machine() {
    let off = ["db".to_owned(), "search".to_owned()];
    let mut services = shop();
    services.retain(|one| one.service != "db");
    for (pairs, expected) in [
        (
            &[("DATABASE_URL", "postgres://app:db@db:5432/db")][..],
            &["postgres://app:db@localhost:5432/db"][..],
        ),
        (&[("S", "http://search/x")], &["http://localhost/x"]),
        (&[("DB_HOST", "db"), ("DB_PORT", "5432")], &["localhost"]),
        (&[("NAME", "db")], &[]),
    ] {
        let all: Vec<_> = pairs
            .iter()
            .map(|(name, value)| variable(name, value, Origin::File))
            .collect();
        let mapping = Mapping::new("api", &all, &services, false, &off);
        let values: Vec<String> = templates(&mapping).into_iter().map(|(_, v)| v).collect();
        assert_eq!(values, expected, "{pairs:?}");
    }
    // A service that runs takes precedence.
    let all = [variable("X", "postgres://db:5432/x", Origin::File)];
    let mapping = Mapping::new("api", &all, &shop(), false, &off);
    assert_eq!(templates(&mapping)[0].1, "postgres://{db.host}:{db.port}/x");
}

#[test]
fn the_name_of_this_machine_in_containers_is_mapped_beside_a_port() {
    for (pairs, expected) in [
        (
            &[
                ("POSTGRES_HOST", "host.docker.internal"),
                ("POSTGRES_PORT", "5432"),
            ][..],
            &["{db.host}", "{db.port}"][..],
        ),
        (
            &[("X_HOST", "host.docker.internal"), ("X_PORT", "6379")],
            &["{redis.host}", "{redis.port}"],
        ),
        (
            &[("REDIS_HOST", "host.docker.internal")],
            &["{redis.host}", "{redis.port}"],
        ),
        (
            &[("X_HOST", "host.docker.internal"), ("X_PORT", "1234")],
            &[],
        ),
    ] {
        let values: Vec<String> = templates(&mapped(pairs))
            .into_iter()
            .map(|(_, v)| v)
            .collect();
        assert_eq!(values, expected, "{pairs:?}");
    }
}
