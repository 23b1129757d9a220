//! What the macros of the suites expand to.

/// A module of tests from a list of cases.
///
/// `case` runs inside `block_on`, `case(fresh)` gets the function that makes runtimes, and
/// `case if Capability` is skipped where that is lacking.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($name:ident, $harness:expr, $bound:ident; $(
        $subject:ident { $( $case:ident $(($fresh:ident))? $(if $need:ident)? ),* $(,)? }
    )*) => {
        mod $name {
            mod harness {
                #[allow(unused_imports, reason = "the harness may be a path or use names from outside")]
                use super::super::*;

                pub(super) fn make() -> impl $crate::Harness<Runtime: $crate::bounds::$bound> {
                    $harness
                }
            }

            $(
                mod $subject {
                    $(
                        #[test]
                        fn $case() {
                            $crate::check(
                                concat!(stringify!($subject), "::", stringify!($case)),
                                super::harness::make,
                                &[$($crate::Capability::$need)?],
                                |fresh| $crate::__run!(fresh, $crate::cases::$subject::$case $(, $fresh)?),
                            );
                        }
                    )*
                }
            )*
        }
    };
}

/// Calls one case.
#[doc(hidden)]
#[macro_export]
macro_rules! __run {
    ($make:ident, $case:path) => {
        $crate::run($make, $case)
    };
    ($make:ident, $case:path, fresh) => {
        $case($make)
    };
}
