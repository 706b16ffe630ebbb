//! Ruby on Rails, with the distribution's gems.

use crate::generated::Generated;

#[test]
#[ignore = "installs packages: cargo xtask frameworks"]
fn rails() {
    let make = "rails new app --minimal --skip-bundle --skip-git --skip-sprockets --skip-listen --skip-bootsnap \
                && cd app && sed -i '/byebug/d;/tzinfo-data/d' Gemfile && bundle install --local";
    Generated::by(make).answers("rails", "<title>Ruby on Rails");
}
