//! Import cycles between the modules of one target. Pure functions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::paths::ModulePath;

/// A module with its own file.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) path: ModulePath,
    /// Its file, for messages.
    pub(super) file: String,
    /// Absolute paths of what it imports from the same crate.
    pub(super) imports: BTreeSet<ModulePath>,
}

/// For each module, by its index, the modules that it imports.
type Graph = Vec<Vec<usize>>;

/// Describe every group of modules that import each other in a cycle.
pub(super) fn cycles(modules: &[Module]) -> Vec<String> {
    let graph = graph(modules);
    let groups = components(&graph).into_iter();
    groups
        .filter(|group| group.len() > 1)
        .map(|group| describe(modules, &graph, &group))
        .collect()
}

/// Resolve imports to modules. An import of the module's own ancestor or descendant is allowed
/// and is not part of the graph.
fn graph(modules: &[Module]) -> Graph {
    let indices: BTreeMap<&[String], usize> = modules
        .iter()
        .enumerate()
        .map(|(index, module)| (&module.path[..], index))
        .collect();
    let edges = |module: &Module| {
        let targets: BTreeSet<usize> = module
            .imports
            .iter()
            .filter_map(|import| {
                // The last segments name an item in the module.
                let lengths = (0..=import.len()).rev();
                let target = lengths
                    .map(|length| &import[..length])
                    .find(|path| indices.contains_key(path))?;
                let is_related =
                    target.starts_with(&module.path) || module.path.starts_with(target);
                (!is_related).then(|| indices[target])
            })
            .collect();
        targets.into_iter().collect()
    };
    modules.iter().map(edges).collect()
}

/// The strongly connected components, by Kosaraju's algorithm.
fn components(graph: &Graph) -> Vec<Vec<usize>> {
    let mut reversed: Graph = vec![Vec::new(); graph.len()];
    for (from, targets) in graph.iter().enumerate() {
        for &to in targets {
            reversed[to].push(from);
        }
    }
    let mut seen = vec![false; graph.len()];
    let mut finished = Vec::new();
    for start in 0..graph.len() {
        visit(graph, start, &mut seen, &mut finished);
    }
    let mut seen = vec![false; graph.len()];
    let mut components = Vec::new();
    for start in finished.into_iter().rev() {
        let mut component = Vec::new();
        visit(&reversed, start, &mut seen, &mut component);
        if !component.is_empty() {
            component.sort_unstable();
            components.push(component);
        }
    }
    components
}

/// Append every module reachable from `node` and not seen before, each after those it reaches.
fn visit(graph: &Graph, node: usize, seen: &mut [bool], finished: &mut Vec<usize>) {
    if std::mem::replace(&mut seen[node], true) {
        return;
    }
    for &next in &graph[node] {
        visit(graph, next, seen, finished);
    }
    finished.push(node);
}

/// Name the shortest cycle through the first module of the group, and the size of the group.
fn describe(modules: &[Module], graph: &Graph, group: &[usize]) -> String {
    let mut files: Vec<&str> = shortest_cycle(graph, group[0])
        .into_iter()
        .map(|index| modules[index].file.as_str())
        .collect();
    files.push(files[0]);
    format!(
        "import cycle among {} files, for example {}",
        group.len(),
        files.join(" -> ")
    )
}

/// The shortest cycle that starts at `start`, which must be on one.
fn shortest_cycle(graph: &Graph, start: usize) -> Vec<usize> {
    let mut previous = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &next in &graph[node] {
            if next == start {
                let mut cycle = vec![node];
                while let Some(&before) = previous.get(&cycle[cycle.len() - 1]) {
                    cycle.push(before);
                }
                cycle.reverse();
                return cycle;
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = previous.entry(next) {
                entry.insert(node);
                queue.push_back(next);
            }
        }
    }
    vec![start]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> ModulePath {
        path.split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn check(modules: &[(&str, &[&str])]) -> Vec<String> {
        let modules: Vec<Module> = modules
            .iter()
            .map(|(path, imports)| Module {
                path: split(path),
                file: format!("{path}.rs"),
                imports: imports.iter().map(|import| split(import)).collect(),
            })
            .collect();
        cycles(&modules)
    }

    #[test]
    fn accepts_imports_in_one_direction() {
        assert!(check(&[("a", &["b/X", "c/Y"]), ("b", &["c/Y"]), ("c", &[])]).is_empty());
    }

    #[test]
    fn names_the_files_of_a_cycle() {
        assert_eq!(
            check(&[
                ("a", &["b/X"]),
                ("b", &["c/Y"]),
                ("c", &["a/Z"]),
                ("d", &["a"])
            ]),
            ["import cycle among 3 files, for example a.rs -> b.rs -> c.rs -> a.rs"]
        );
    }

    #[test]
    fn reports_separate_cycles_separately() {
        let cycles = check(&[("a", &["b"]), ("b", &["a"]), ("c", &["d"]), ("d", &["c"])]);
        assert_eq!(cycles.len(), 2);
    }

    #[test]
    fn allows_a_module_and_its_descendants_to_import_each_other() {
        assert!(check(&[("", &["a/X"]), ("a", &["a/b/Y"]), ("a/b", &["a/Z", "X"])]).is_empty());
    }

    #[test]
    fn finds_a_cycle_through_a_descendant_of_another_module() {
        let modules: [(&str, &[&str]); 3] = [("a", &["b/X"]), ("b", &[]), ("b/c", &["a/Y"])];
        assert!(check(&modules).is_empty());
        let modules: [(&str, &[&str]); 3] = [("a", &["b/c/X"]), ("b", &[]), ("b/c", &["a/Y"])];
        assert_eq!(check(&modules).len(), 1);
    }
}
