//! Routes: paths, methods, and access. A new route is a variant, a row of [`Route::about`] and, in `admit`, its answer.

use hyper::Method;

use crate::serve::telemetry::metrics::Label;

/// Route of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/reg/`: the model.
    Reg,
    /// `/reg/` with a batch, whose duration must not be mixed with others.
    Batch,
    /// `/`: shows that the service answers.
    Root,
    /// `/reg`, which redirects to `/reg/`.
    RegWithoutSlash,
    /// `/openapi.json`.
    OpenApi,
    /// `/docs` and its files.
    Docs,
    /// `/v2`: the Open Inference Protocol, and what the server is.
    V2,
    /// `/v2/health/live`: whether the process lives.
    V2Live,
    /// `/v2/health/ready`: whether requests should be sent to it.
    V2Ready,
    /// `/v2/models/pick_regno`: what the model takes and gives.
    V2Model,
    /// `/v2/models/pick_regno/ready`: whether the model answers.
    V2ModelReady,
    /// `/v2/models/pick_regno/infer`: the model.
    V2Infer,
    /// Anything else.
    Unknown,
}

/// Methods, and the value of `Allow`.
type Methods = (&'static [Method], &'static str);

const READ: Methods = (
    &[Method::GET, Method::HEAD, Method::OPTIONS],
    "GET, HEAD, OPTIONS",
);
const WRITE: Methods = (&[Method::POST, Method::OPTIONS], "OPTIONS, POST");
const NONE: Methods = (&[], "");

/// Properties of a route.
struct About {
    /// Value of the `route` label.
    label: &'static str,
    paths: &'static [&'static str],
    methods: Methods,
    /// True if no key is required.
    is_open: bool,
}

impl Route {
    const ALL: &[Route] = &[
        Route::Reg,
        Route::Batch,
        Route::Root,
        Route::RegWithoutSlash,
        Route::OpenApi,
        Route::Docs,
        Route::V2,
        Route::V2Live,
        Route::V2Ready,
        Route::V2Model,
        Route::V2ModelReady,
        Route::V2Infer,
        Route::Unknown,
    ];

    const fn about(self) -> About {
        let (label, paths, methods, is_open): (_, &'static [&'static str], _, _) = match self {
            Route::Reg => ("/reg/", &["/reg/"], WRITE, false),
            Route::Batch => ("/reg/ batch", &[], WRITE, false),
            Route::Root => ("/", &["/"], READ, false),
            Route::RegWithoutSlash => ("/reg", &["/reg"], WRITE, true),
            Route::OpenApi => ("/openapi.json", &["/openapi.json"], READ, true),
            Route::Docs => (
                "/docs",
                &["/docs", "/docs/page.css", "/docs/page.js"],
                READ,
                true,
            ),
            Route::V2 => ("/v2", &["/v2"], READ, false),
            Route::V2Live => ("/v2/health/live", &["/v2/health/live"], READ, true),
            Route::V2Ready => ("/v2/health/ready", &["/v2/health/ready"], READ, true),
            Route::V2Model => (
                "/v2/models/pick_regno",
                &["/v2/models/pick_regno"],
                READ,
                false,
            ),
            Route::V2ModelReady => (
                "/v2/models/pick_regno/ready",
                &["/v2/models/pick_regno/ready"],
                READ,
                false,
            ),
            Route::V2Infer => (
                "/v2/models/pick_regno/infer",
                &["/v2/models/pick_regno/infer"],
                WRITE,
                false,
            ),
            Route::Unknown => ("unknown", &[], NONE, false),
        };
        About {
            label,
            paths,
            methods,
            is_open,
        }
    }

    pub(crate) fn of(path: &str) -> Route {
        let found = Route::ALL
            .iter()
            .find(|route| route.about().paths.contains(&path));
        found.copied().unwrap_or(Route::Unknown)
    }

    /// Value of `Allow`; empty if there is nothing at the route.
    pub(crate) fn allow(self) -> &'static str {
        self.about().methods.1
    }

    pub(crate) fn allows(self, method: &Method) -> bool {
        self.about().methods.0.contains(method)
    }

    /// Tells whether faults are told as the Open Inference Protocol has it.
    pub(crate) fn is_v2(self) -> bool {
        self.about().label.starts_with("/v2")
    }

    /// Returns true if no key is required.
    pub(crate) fn is_open(self) -> bool {
        self.about().is_open
    }
}

impl Label for Route {
    fn label(self) -> &'static str {
        self.about().label
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http::method::METHODS;

    #[test]
    fn what_is_allowed_is_what_is_said_to_be() {
        for &route in Route::ALL {
            let said: Vec<&str> = route.allow().split(", ").collect();
            for name in METHODS.into_iter().chain(["PUT", "get"]) {
                let method = Method::from_bytes(name.as_bytes()).unwrap();
                assert_eq!(
                    route.allows(&method),
                    said.contains(&name),
                    "{route:?} {name}"
                );
            }
        }
    }

    #[test]
    fn a_path_leads_to_its_route() {
        for &route in Route::ALL {
            for path in route.about().paths {
                assert_eq!(Route::of(path), route);
            }
        }
        for path in ["", "/x", "/reg/x", "/docs/", "//"] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
    }
}
