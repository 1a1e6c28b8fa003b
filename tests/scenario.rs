//! The scenario language as its users see it: whole files in, checked scenarios or rendered problems out.

#[path = "pure/scenario_golden.rs"]
mod golden;
#[path = "pure/scenario_read.rs"]
mod read;
#[path = "pure/scenario_robust.rs"]
mod robust;
#[path = "pure/scenario_schema.rs"]
mod schema;
