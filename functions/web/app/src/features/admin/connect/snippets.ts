// The lines that a satellite's developer pastes, filled in for this installation.

const APP = 'fertigungs-app'

/** Returns the lines for a shell. The token is a variable, so that it stands in no history. */
export function curlLines(url: string, tenant: number | null): string {
  const body = { source_app: APP, event_type: 'notification', title: 'CNC-01 gestoppt', body: 'Fehlercode E-401', target_type: 'general', priority: 'normal', ...(tenant === null ? {} : { tenant_id: tenant }) }
  return [
    `curl -X POST "${url}/api/v1/notifications/send" \\`,
    '  -H "X-Service-Token: $MESSENGER_SERVICE_TOKEN" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '${JSON.stringify(body)}'`,
  ].join('\n')
}

/** Returns a program for the Python client. */
export function pythonLines(url: string, tenant: number | null): string {
  return [
    'import os',
    '',
    'from hub_messenger_client import MessengerClient',
    '',
    `client = MessengerClient("${url}", os.environ["MESSENGER_SERVICE_TOKEN"], source_app="${APP}")`,
    `sent = client.notify(title="CNC-01 gestoppt", body="Fehlercode E-401"${tenant === null ? '' : `, tenant_id=${tenant}`})`,
    'print(sent.id, sent.status)',
  ].join('\n')
}
