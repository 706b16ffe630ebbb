use super::*;

fn parsed(text: &str) -> (String, bool, bool) {
    let script = Script::parse(text).unwrap();
    (
        script.last.words.join(" "),
        script.is_alone,
        script.ends_simply,
    )
}

#[test]
fn finds_the_last_command_of_a_script() {
    for (text, words, is_alone, ends_simply) in [
        ("vite", "vite", true, true),
        ("NODE_ENV=dev vite --open", "vite --open", true, true),
        ("cross-env A=1 B=2 next dev", "next dev", true, true),
        ("dotenv -e .env.local -- next dev", "next dev", true, true),
        ("dotenv -e .env.local next dev", "next dev", true, true),
        ("dotenvx run -f .env -- vite", "vite", true, true),
        ("env-cmd -f .env.dev A=1 ng serve", "ng serve", true, true),
        (
            "doppler run --project x -- npx next dev",
            "next dev",
            true,
            true,
        ),
        ("op run --env-file=.env -- vite", "vite", true, true),
        ("npx -y astro dev", "astro dev", true, true),
        ("pnpm exec vite", "vite", true, true),
        ("./node_modules/.bin/ng serve", "ng serve", true, true),
        ("tsc -b && vite", "vite", false, true),
        ("prisma generate; next dev", "next dev", false, true),
        ("tsc -w & node dist", "node dist", false, false),
        ("vite | cat", "vite", false, false),
        ("a && tsx x.ts 2>&1 | pretty", "tsx x.ts", false, false),
        ("portless shop next dev", "next dev", true, true),
        ("portless run --name shop -- vite", "vite", true, true),
        (
            "node node_modules/next/dist/bin/next dev",
            "next dev",
            true,
            true,
        ),
        (
            "name=${HOST:-shop.test}; env ${HOST:+URL=https://$HOST} portless ${name%.test} next dev",
            "next dev",
            false,
            true,
        ),
        ("env A=1 ${HOST:+URL=$HOST} vite", "vite", true, true),
        ("corepack pnpm run dev", "pnpm run dev", true, true),
        ("varlock run -- vite", "vite", true, true),
        ("a || b", "b", false, false),
        ("vite 2>&1", "vite", true, false),
        ("echo 'a && b' && x", "x", false, true),
    ] {
        let expected = (words.to_owned(), is_alone, ends_simply);
        assert_eq!(parsed(text), expected, "{text}");
    }
    for text in ["", "  ", "a 'b", "A=1", "npx", "cross-env"] {
        let program = Script::parse(text).map(|script| script.last.program().to_owned());
        assert!(matches!(program.as_deref(), None | Some("npx")), "{text}");
    }
}

#[test]
fn keeps_what_surrounds_the_last_command() {
    for (text, before, last, after) in [
        ("vite", "", "vite", ""),
        ("a -b && c; vite", "a -b && c ;", "vite", ""),
        ("vite > log 2>&1", "", "vite", "> log 2>&1"),
        ("vite 2>&1 | tee log", "", "vite", "2>&1 | tee log"),
        ("a || b && vite | x | y", "a || b &&", "vite", "| x | y"),
        ("yes | a && vite", "yes | a &&", "vite", ""),
        ("x 'a > b'", "", "x a > b", ""),
        ("x \"2>&1\"", "", "x 2>&1", ""),
    ] {
        let script = Script::parse(text).unwrap();
        let steps = script.before.iter().map(|step| match &step.run {
            StepRun::Command(text) => format!("{text} {}", step.joint),
            StepRun::Script(_) | StepRun::Hook(_) => unreachable!(),
        });
        let found = (
            steps.collect::<Vec<_>>().join(" "),
            script.last.words.join(" "),
            script.after,
        );
        assert_eq!(found, (before.into(), last.into(), after.into()), "{text}");
    }
}

#[test]
fn splits_what_runs_at_the_same_time() {
    for (text, parts) in [
        ("vite", &["vite"][..]),
        ("a && b | c", &["a && b | c"]),
        (
            "tsc -b && vite & node x.js",
            &["tsc -b && vite", "node x.js"],
        ),
        ("a & b & wait", &["a", "b"]),
        ("a & b; wait", &["a", "b"]),
        ("a 2>&1 & b 'x & y'", &["a 2>&1", "b 'x & y'"]),
    ] {
        assert_eq!(Script::at_once(text), parts, "{text}");
    }
}

#[test]
fn reads_and_removes_flags() {
    let simple = |text: &str| Script::parse(text).unwrap().last;
    let flags = ["--port", "-p"];
    for (text, value, without) in [
        ("vite --port 3000 --open", Some("3000"), "vite --open"),
        ("vite --port=3000", Some("3000"), "vite"),
        ("next dev -p 1 x", Some("1"), "next dev x"),
        ("next dev -p1", Some("1"), "next dev"),
        ("vite --port", Some(""), "vite"),
        ("vite --portal 1", None, "vite --portal 1"),
        ("vite -prod", None, "vite -prod"),
        ("vite", None, "vite"),
    ] {
        assert_eq!(simple(text).flag(&flags), value, "{text}");
        assert_eq!(simple(text).without_flag(&flags).words.join(" "), without);
    }
}
