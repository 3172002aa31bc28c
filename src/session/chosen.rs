//! The restores that a command is told to act on.

use crate::diagnostic::suggest;
use crate::plan::Planner;
use crate::render::split_instance;

/// The names of what is acted on: `files` stands for all its instances. Nothing where nothing was chosen.
///
/// # Errors
///
/// The first name that the plan does not have, and what it may have been meant to be.
pub fn chosen(planner: &Planner, only: &[String]) -> Result<Vec<String>, (String, String)> {
    let instances = planner.instances();
    let restores = &planner.document().restores;
    let mut names = Vec::new();
    for name in only {
        if instances.find(name).is_some() {
            names.push(name.clone());
            continue;
        }
        let Some(at) = restores.position(|r| r.name.value == **name) else {
            let known: Vec<&str> = match split_instance(name) {
                Some(_) => instances.all().iter().map(|i| i.name.as_str()).collect(),
                None => restores.iter().map(|r| r.name.value.as_str()).collect(),
            };
            return Err((name.clone(), suggest(name, known)));
        };
        names.extend(
            instances
                .of(at)
                .iter()
                .map(|instance| instance.name.to_string()),
        );
    }
    Ok(names)
}
