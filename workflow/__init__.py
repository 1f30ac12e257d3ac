"""From a sweep file to a report: state points, stages, engines, operations and aggregation."""
