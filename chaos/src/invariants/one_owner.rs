//! No two live services have one port.

use super::Ready;

/// `steady` are the services that were ready before *and* after, unchanged: all of them were so at
/// one instant between.
pub(crate) fn judge(steady: &[Ready]) -> Option<String> {
    steady.iter().enumerate().find_map(|(index, one)| {
        let other = steady[..index]
            .iter()
            .find(|other| other.port == one.port)?;
        Some(format!("both are ready on one port: {one:?} and {other:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn one_port_for_two_is_found() {
        let mut services = vec![example("a", "api", 9000), example("b", "api", 9001)];
        assert_eq!(judge(&services), None);
        services.push(example("c", "web", 9000));
        assert!(judge(&services).unwrap().contains("9000"));
    }
}
