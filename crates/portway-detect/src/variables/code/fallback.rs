//! The value that code uses where a variable is not set: the default of a call, what follows an operator, and
//! what is assigned afterwards.

use super::reads::{Form, Read};
use super::value::{
    Value, argument, arguments, bounded, bounded_end, closed, is_word, last_word, leading, value,
    words,
};

/// How far after a name its default may be, in bytes.
const MAX_AFTER: usize = 500;

/// How far before a name the start of its expression may be, in bytes.
const MAX_BEFORE: usize = 250;

/// Methods that return the value of a variable, perhaps in another type.
const PASSING: [&str; 19] = [
    "trim",
    "toString",
    "split",
    "ok",
    "as_deref",
    "as_str",
    "as_ref",
    "and_then",
    "map",
    "parse",
    "strip",
    "lower",
    "toLowerCase",
    "replace",
    "presence",
    "to_s",
    "to_i",
    "required",
    "toInt",
];

/// Methods whose argument is the default.
const DEFAULTING: [&str; 10] = [
    "unwrap_or",
    "unwrap_or_else",
    "map_or",
    "default",
    "default_value",
    "default_value_t",
    "orElse",
    "getOrElse",
    "getOrDefault",
    "or",
];

/// Parts of names of functions that return the first of their arguments with a value.
const FIRST_OF: [&str; 6] = ["or", "default", "coalesce", "first", "fallback", "nonempty"];

/// Returns the default of the variable that is read at `read`.
pub(super) fn default_of(text: &str, read: &Read<'_>) -> Option<Value> {
    let rest = bounded(&text[read.end..], MAX_AFTER);
    let rest = match read.form {
        Form::Member => rest,
        Form::Index => rest.trim_start().strip_prefix(']')?,
        Form::Call => match rest.trim_start().strip_prefix(',') {
            Some(more) => {
                let (inside, rest) = closed(more)?;
                if let Some(found) = of_arguments(inside) {
                    return Some(found);
                }
                rest
            }
            None => rest.trim_start().strip_prefix(')')?,
        },
    };
    after(text, read, rest).or_else(|| assigned(text, read))
}

/// Returns the default among the arguments of a call: the one called `default`, or else the first.
fn of_arguments(inside: &str) -> Option<Value> {
    named(inside).or_else(|| {
        let first = inside.trim_start();
        // `env!("NAME", :string, "default")`
        let first = match first.strip_prefix(':') {
            Some(more) => more.split_once(',')?.1,
            None => first,
        };
        argument(first)
    })
}

/// Names of arguments and keys with a default.
const NAMES: [&str; 5] = [
    "default",
    "devDefault",
    "default_value",
    "default_value_t",
    "defaultValue",
];

/// Returns the value after `default=` or `default(` at most one level below the start, or after `default:` at
/// most two levels below.
pub(super) fn named(text: &str) -> Option<Value> {
    let mut found = NAMES.iter().filter_map(|name| {
        words(text, name).find_map(|at| {
            let rest = text[at + name.len()..]
                .trim_start_matches(['"', '\''])
                .trim_start();
            let inside = rest.strip_prefix(['=', ':', '('])?;
            let level = text[..at].chars().fold(0_i32, |level, c| match c {
                '(' | '{' | '[' => level + 1,
                ')' | '}' | ']' => level - 1,
                _ => level,
            });
            let is_key = rest.starts_with(':');
            Some((at, value(inside)?)).filter(|_| level <= 1 + i32::from(is_key))
        })
    });
    let first = found.next()?;
    let first = found.fold(
        first,
        |first, next| if next.0 < first.0 { next } else { first },
    );
    Some(first.1)
}

/// Returns the default after an expression that reads a variable: `rest` starts after it.
fn after(text: &str, read: &Read<'_>, mut rest: &str) -> Option<Value> {
    let mut closers = 0;
    loop {
        let next = rest.trim_start();
        let is_on_line = !rest[..rest.len() - next.len()].contains('\n');
        if let Some(more) = next.strip_prefix([')', ']']) {
            closers += 1;
            rest = more;
        } else if let Some(more) = next.strip_prefix('!').filter(|more| !more.starts_with('=')) {
            rest = more;
        } else if let Some(more) = next.strip_prefix("as string").filter(|_| is_on_line) {
            rest = more;
        } else if let Some((name, arguments)) = method(next) {
            if DEFAULTING.contains(&name) {
                return of_closure(arguments);
            }
            if !PASSING.contains(&name) {
                return None;
            }
            rest = match arguments.strip_prefix('(') {
                Some(arguments) => closed(arguments)?.1,
                None => arguments,
            };
        } else if let Some(more) = next.strip_prefix(',') {
            // `parseInt(process.env.PORT, 10)`
            let number = more.trim_start();
            let after = number
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start();
            if after.len() < number.len() && after.starts_with(')') && closers == 0 {
                rest = after;
                continue;
            }
            return first_of(text, read, more);
        } else {
            return operator(text, read, next, is_on_line);
        }
    }
}

/// Returns the method at the start of a text, `.trim()` or `?.trim()`, and what follows its name.
fn method(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('?').unwrap_or(text).strip_prefix('.')?;
    let end = text.find(|c| !is_word(c))?;
    let (name, rest) = text.split_at(end);
    // `collect::<Vec<_>>()`
    let rest = match rest.strip_prefix("::<") {
        Some(generic) => &generic[generic.find('(')?..],
        None => rest,
    };
    Some((name, rest))
}

/// Returns the value in the arguments or the block of a method, which may be a closure: `(|_| "x".into())`.
fn of_closure(arguments: &str) -> Option<Value> {
    let inside = arguments
        .trim_start()
        .strip_prefix(['(', '{'])?
        .trim_start();
    let inside = match inside.strip_prefix('|') {
        Some(closure) => closure.split_once('|')?.1.trim_start(),
        None => inside.strip_prefix("() =>").unwrap_or(inside).trim_start(),
    };
    value(inside.strip_prefix('{').unwrap_or(inside))
}

/// Returns the value after an operator that stands for a missing variable.
fn operator(text: &str, read: &Read<'_>, rest: &str, is_on_line: bool) -> Option<Value> {
    const OPERATORS: [&str; 6] = ["||=", "??=", "||", "??", "?:", "or "];
    let found = OPERATORS.iter().find_map(|one| rest.strip_prefix(one));
    if let Some(found) = found.or_else(|| rest.strip_prefix("or\n")) {
        return value(found);
    }
    if let Some(block) = rest.strip_prefix('{') {
        // `ENV.fetch("NAME") { "default" }`, and a `match` in Rust.
        let failed = block
            .find("Err(")
            .and_then(|at| block[at..].split_once("=>"));
        return match failed {
            Some((_, arm)) => value(arm.trim_start().trim_start_matches('{')),
            None => value(block).filter(|_| is_on_line && read.form == Form::Call),
        };
    }
    if let Some(found) = rest.strip_prefix(':') {
        // The end of `process.env.NAME ? process.env.NAME : "default"`.
        let before = bounded_end(&text[..read.start], MAX_BEFORE);
        let (condition, _) = before.rsplit_once('?')?;
        let is_asked = words(condition, read.name).next().is_some();
        return is_asked.then(|| value(found)).flatten();
    }
    if let Some(found) = rest
        .strip_prefix("if")
        .filter(|rest| rest.starts_with([' ', '\n']))
    {
        let (condition, found) = found.split_once("else")?;
        let is_asked = words(condition, read.name).next().is_some() && !condition.contains(":\n");
        return is_asked.then(|| value(found)).flatten();
    }
    negated(text, read, rest)
}

/// Returns the default in `!process.env.NAME ? "default" : process.env.NAME`, and with `== null`.
fn negated(text: &str, read: &Read<'_>, rest: &str) -> Option<Value> {
    let compared = rest
        .strip_prefix("==")
        .map(|rest| rest.trim_start_matches('='));
    let rest = match compared {
        Some(rest) => &rest[rest.find('?')?..],
        None => {
            let before = text[..read.start].trim_end_matches('(');
            before.ends_with('!').then_some(rest)?
        }
    };
    let (found, alternative) = leading(rest.strip_prefix('?')?)?;
    let alternative = bounded(alternative.trim_start().strip_prefix(':')?, MAX_BEFORE);
    words(alternative, read.name).next()?;
    Some(found)
}

/// Returns the last argument of a function that returns the first value: `cmp.Or(os.Getenv("NAME"), "x")`.
/// `more` follows the comma after the variable.
fn first_of(text: &str, read: &Read<'_>, more: &str) -> Option<Value> {
    let before = bounded_end(&text[..read.start], MAX_BEFORE);
    let mut depth = 0_usize;
    let open = before.char_indices().rev().find(|(_, c)| {
        match c {
            ')' => depth += 1,
            '(' if depth == 0 => return true,
            '(' => depth -= 1,
            _ => {}
        }
        false
    })?;
    let callee = last_word(&before[..open.0]).to_ascii_lowercase();
    if !FIRST_OF.iter().any(|part| callee.contains(part)) {
        return None;
    }
    let (inside, _) = closed(more)?;
    let all = arguments(inside);
    argument(all.iter().rev().find(|one| !one.trim().is_empty())?)
}

/// Returns the default that is assigned or returned after a check: `port := os.Getenv("PORT")`, then
/// `if port == "" { port = "8080" }`.
fn assigned(text: &str, read: &Read<'_>) -> Option<Value> {
    let line = text[..read.start].rfind('\n').map_or(0, |at| at + 1);
    let before = &text[line..read.start];
    let at = before.match_indices('=').map(|(at, _)| at).find(|at| {
        !before[..*at].ends_with(['=', '!', '<', '>']) && !before[at + 1..].starts_with(['=', '>'])
    })?;
    let target = before[..at].trim_end().trim_end_matches(':');
    // `const port: string`, `if port, ok`, `String port`
    let target = target.split(';').next_back()?;
    let target = target.split([',', ':']).next()?.trim_end();
    let variable = last_word(target);
    if variable.is_empty() {
        return None;
    }
    let rest = bounded(&text[read.end..], MAX_AFTER);
    // Only in the same function.
    let end = ["\nfunc ", "\ndef ", "\nfn ", "\nclass "]
        .iter()
        .filter_map(|one| rest.find(one))
        .min();
    let rest = &rest[..end.unwrap_or(rest.len())];
    let check = words(rest, "if").next();
    let set = words(rest, variable).find_map(|at| {
        let after = rest[at + variable.len()..].trim_start();
        if let Some(found) = ["||=", "??="]
            .iter()
            .find_map(|one| after.strip_prefix(one))
        {
            return value(found);
        }
        let found = after
            .strip_prefix(":=")
            .or_else(|| after.strip_prefix('='))?;
        let found = found.trim_start();
        let again = found.strip_prefix(variable).map(str::trim_start);
        let again =
            again.and_then(|rest| rest.strip_prefix("or ").or_else(|| rest.strip_prefix("||")));
        match again {
            Some(found) => value(found),
            None => value(found).filter(|_| check.is_some_and(|check| check < at)),
        }
    });
    set.or_else(|| {
        let at = rest.find(&format!("return {variable}"))?;
        let after = bounded(&rest[at + "return ".len() + variable.len()..], 60);
        let after = after.trim_start_matches(|c: char| c.is_whitespace() || "};".contains(c));
        value(
            after
                .strip_prefix("else")
                .unwrap_or(after)
                .trim_start()
                .strip_prefix("return ")?,
        )
    })
}
