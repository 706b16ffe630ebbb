//! Ruby on Rails, with the gems of the Linux distribution.

use crate::generated::Generated;

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn rails() {
    let make = "rails new app --minimal --skip-bundle --skip-git --skip-sprockets --skip-listen --skip-bootsnap \
                && cd app && sed -i '/byebug/d;/tzinfo-data/d' Gemfile && bundle install --local";
    Generated::with_command(make).serves("rails", "<title>Ruby on Rails");
}
