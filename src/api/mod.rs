//! What an action is, which there are, and what happens around each; knows neither HTTP nor any rule of a family.

pub mod action;
pub mod call;
pub mod common;
pub mod describe;
pub mod disturbed;
pub mod older;
pub mod registry;
