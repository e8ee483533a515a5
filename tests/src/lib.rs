//! The lab: everything that looks at a chat program from outside.
//!
//! It talks to the stages as their users do: as processes, through their standard streams and
//! through TCP. It links to none of them, so that what it can check of a stage it can check of
//! anybody's program in any language.

pub mod autograder;
pub mod book;
pub mod capture;
pub mod check;
pub mod compare;
pub mod conversation;
pub mod exercise_pages;
pub mod formats;
pub mod grade;
pub mod look;
pub mod patience;
pub mod peer;
pub mod play;
pub mod process;
pub mod proxy;
pub mod report;
pub mod resources;
pub mod run;
pub mod say;
pub mod selftest;
pub mod show;
pub mod slides;
pub mod soak;
pub mod stage;
pub mod starter;
pub mod submission;
pub mod watch;
pub mod work;
pub mod zoo;
