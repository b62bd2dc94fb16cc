// The early sign-in: removes the Hub's parameters from the address before other code reads it, and signs the user in
// while the browser still loads the application.
import { beginSignIn } from './api/sign_in'
import { takeHubSignIn } from './platform/hub_sign_in'

export const signIn = beginSignIn(takeHubSignIn())
