/** The demo's daemon works here, apart from any other on this machine. */
export const demoState = "/var/lib/bulkhead-demo";
