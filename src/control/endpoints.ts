/**
 * Method and path of everything that a control socket answers; routes.ts says the rest about each. Apart from it, so that
 * clients need not load the schema library.
 */
export const ENDPOINTS = {
  description: { method: 'GET', route: '/openapi.json' },
  machine: { method: 'GET', route: '/machine' },
  registers: { method: 'GET', route: '/machine/registers' },
  devices: { method: 'GET', route: '/machine/devices' },
  pause: { method: 'POST', route: '/machine/pause' },
  resume: { method: 'POST', route: '/machine/resume' },
  reset: { method: 'POST', route: '/machine/reset' },
  powerButton: { method: 'POST', route: '/machine/power-button' },
  stop: { method: 'POST', route: '/machine/stop' },
  map: { method: 'GET', route: '/memory/map' },
  segments: { method: 'GET', route: '/memory/segments' },
  gaps: { method: 'GET', route: '/memory/gaps' },
  iommu: { method: 'GET', route: '/memory/iommu' },
  at: { method: 'GET', route: '/memory/at/{gpa}' },
  readSegment: { method: 'GET', route: '/memory/segments/{segment}/bytes' },
  writeSegment: { method: 'PUT', route: '/memory/segments/{segment}/bytes' },
  readGpa: { method: 'GET', route: '/memory/gpa/{gpa}/bytes' },
  writeGpa: { method: 'PUT', route: '/memory/gpa/{gpa}/bytes' },
  codeWritten: { method: 'POST', route: '/memory/code-written' },
  events: { method: 'GET', route: '/events' },
  screenshot: { method: 'GET', route: '/display/screenshot' },
  serialOutput: { method: 'GET', route: '/serial/output' },
  serialInput: { method: 'POST', route: '/serial/input' },
} as const;
