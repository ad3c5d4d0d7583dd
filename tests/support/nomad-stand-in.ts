/** A Nomad in this process, with the answers of a real one in shape: jobs, allocations, scale, blocking queries. */
import * as v from 'valibot'
import {
  described,
  details,
  type Job,
  type JobSpec,
  type NomadRequest,
  type NomadStandInOptions,
  noRoom,
  type Placed,
  registration,
  type Stored,
  scaleOf,
  stub,
} from './nomad-shapes.ts'

const scaling = v.object({ Count: v.number(), Target: v.object({ Group: v.string() }) })

export function startNomad(options: NomadStandInOptions = {}): NomadStandIn {
  return new NomadStandIn(options)
}

export class NomadStandIn {
  readonly requests: NomadRequest[] = []
  /** Answers everything with this, or never; undefined: as usual. */
  outage: { readonly status: number; readonly text: string } | 'silent' | undefined
  /** A deployment is under way: scaling is refused. */
  deploying = false
  /** Answers blocking queries at once. */
  hasty = false
  /** Called for each allocation that a job needs. Undefined: there is no room for it. */
  place: (nth: number) => Placed | undefined = () => ({})
  #index = 10
  readonly #options: NomadStandInOptions
  readonly #jobs = new Map<string, Job>()
  readonly #allocations = new Map<string, Stored>()
  #changed = Promise.withResolvers<void>()
  #server: Bun.Server<undefined>

  constructor(options: NomadStandInOptions) {
    this.#options = options
    this.#server = this.#listen(0)
  }

  get url(): string {
    return this.#server.url.origin
  }

  /** Nothing listens on the port any more; connections break. */
  async leave(): Promise<void> {
    await this.#server.stop(true)
  }

  /** Listens on the same port again. */
  comeBack(): void {
    this.#server = this.#listen(Number(this.#server.url.port))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wake()
    await this.#server.stop(true)
  }

  /** Adds an allocation, or changes what is said of it. */
  put(job: string, placed: Placed, namespace = 'default', nth = 0): string {
    const key = `${namespace}/${job}`
    const id = placed.id ?? crypto.randomUUID()
    this.#index += 1
    const before = this.#allocations.get(id)
    const version = this.#jobs.get(key)?.version ?? 0
    const stored = before ?? { job: key, version, createIndex: this.#index, nth, placed: { id } }
    stored.placed = { ...stored.placed, ...placed, id }
    this.#allocations.set(id, stored)
    this.#wake()
    return id
  }

  get allocationIds(): string[] {
    return [...this.#allocations.keys()]
  }

  /** Allocations that run and are told to stop. */
  stopping(): { readonly id: string; readonly port: number }[] {
    return [...this.#allocations.values()].flatMap(
      ({ placed: { id, port = 0, desired, client = 'running' } }) =>
        desired === 'stop' && client === 'running' ? [{ id, port }] : [],
    )
  }

  /** Garbage collection. */
  remove(id: string): void {
    this.#index += 1
    this.#allocations.delete(id)
    this.#wake()
  }

  /** As after a restore of an older state. */
  goBackTo(index: number): void {
    this.#index = index
    this.#wake()
  }

  /** As `nomad job stop`. */
  stopJob(id: string, namespace = 'default'): void {
    const job = this.#jobs.get(`${namespace}/${id}`)
    if (job === undefined) return
    this.#index += 1
    Object.assign(job, { stopped: true, version: job.version + 1, modifyIndex: this.#index })
    for (const stored of this.#of(`${namespace}/${id}`)) {
      stored.placed = { ...stored.placed, desired: 'stop', client: 'complete' }
    }
    this.#wake()
  }

  /** Registers a job as the API does, and places what it wants. */
  register(Job: JobSpec): Response {
    const key = `${Job.Namespace}/${Job.ID}`
    this.#index += 1
    const version = (this.#jobs.get(key)?.version ?? -1) + 1
    const EvalID = crypto.randomUUID()
    const job = {
      spec: Job,
      stopped: false,
      version,
      modifyIndex: this.#index,
      evaluation: { ID: EvalID, Status: 'complete' },
    }
    this.#jobs.set(key, job)
    this.#fill(job, key)
    return this.#json({ EvalID, JobModifyIndex: job.modifyIndex, Warnings: '', EvalCreateIndex: this.#index })
  }

  #listen(port: number): Bun.Server<undefined> {
    return Bun.serve({
      port,
      hostname: '127.0.0.1',
      idleTimeout: 0,
      fetch: async (request) => {
        const url = new URL(request.url)
        const body: unknown = request.method === 'GET' ? undefined : await request.json()
        const received = { method: request.method, path: url.pathname, query: url.searchParams, body }
        return this.#answer({ ...received, token: request.headers.get('x-nomad-token') })
      },
    })
  }

  async #answer(request: NomadRequest): Promise<Response> {
    this.requests.push(request)
    if (this.outage === 'silent') return Promise.withResolvers<Response>().promise
    if (this.outage !== undefined) return new Response(this.outage.text, { status: this.outage.status })
    const { token, namespaces = ['default'] } = this.#options
    if (token !== undefined && request.token === null) return refusal(403, 'Permission denied')
    if (token !== undefined && request.token !== token) return refusal(403, 'ACL token not found')
    const namespace = request.query.get('namespace') ?? 'default'
    if (!namespaces.includes(namespace)) return refusal(404, `namespace "${namespace}" not found`)
    const [, , kind = '', id = '', part = ''] = request.path.split('/')
    const key = `${namespace}/${decodeURIComponent(id)}`
    const route = `${request.method} ${kind}${part && ` ${part}`}`
    switch (route) {
      case 'GET status':
        return this.#json(this.#server.url.host)
      case 'PUT jobs':
        return this.#register(request.body)
      case 'GET job allocations':
        await this.#held(request.query)
        return this.#json(
          this.#of(key).map((stored) => stub(stored, this.#options.withoutResources === true)),
        )
      case 'GET allocation':
        return this.#details(id)
      case 'GET evaluation':
        return this.#evaluation(id)
    }
    const job = this.#jobs.get(key)
    if (job === undefined) return refusal(404, 'job not found')
    if (route === 'GET job') return this.#json(described(job))
    if (route === 'GET job scale') return this.#json(scaleOf(job, this.#wanted(key)))
    return route === 'POST job scale' ? this.#scaleTo(job, key, request.body) : refusal(405, 'Invalid method')
  }

  #register(body: unknown): Response {
    const parsed = v.safeParse(registration, body)
    if (!parsed.success) return refusal(500, `1 error occurred:\n\t* ${parsed.issues[0].message}\n\n`)
    const { Job, EnforceIndex, JobModifyIndex } = parsed.output
    const job = this.#jobs.get(`${Job.Namespace}/${Job.ID}`)
    if (EnforceIndex && JobModifyIndex !== (job?.modifyIndex ?? 0)) {
      return refusal(500, `Enforcing job modify index ${JobModifyIndex}: job already exists`)
    }
    return this.register(Job)
  }

  #scaleTo(job: Job, key: string, body: unknown): Response {
    const { Count, Target } = v.parse(scaling, body)
    const [group] = job.spec.TaskGroups
    if (this.deploying) return refusal(400, 'job scaling blocked due to active deployment')
    if (group.Name !== Target.Group)
      return refusal(400, `task group "${Target.Group}" specified for scaling does not exist in job`)
    group.Count = Count
    this.#index += 1
    Object.assign(job, { version: job.version + 1, modifyIndex: this.#index })
    this.#fill(job, key)
    return this.#json({ EvalID: crypto.randomUUID(), JobModifyIndex: job.modifyIndex, Warnings: '' })
  }

  /** As many allocations as the job wants. What is too much is told to stop. */
  #fill(job: Job, key: string): void {
    const [group] = job.spec.TaskGroups
    const wanted = this.#wanted(key).toSorted((a, b) => a.nth - b.nth)
    for (const stored of wanted.slice(group.Count)) stored.placed = { ...stored.placed, desired: 'stop' }
    const taken = new Set(wanted.map(({ nth }) => nth))
    for (let nth = 0; taken.size < group.Count && nth < group.Count; nth += 1) {
      if (taken.has(nth)) continue
      taken.add(nth)
      const placed = this.place(nth)
      if (placed === undefined) {
        job.evaluation = { ...job.evaluation, ...noRoom(group.Name) }
      } else this.put(job.spec.ID, { group: group.Name, ...placed }, job.spec.Namespace, nth)
    }
    this.#wake()
  }

  /** A blocking query: until something changed after `index`, or `wait` is over. */
  async #held(query: URLSearchParams): Promise<void> {
    const index = Number(query.get('index') ?? 0)
    const waitMs = Number.parseInt(query.get('wait') ?? '300000', 10)
    if (index === 0 || this.hasty) return
    if (this.#index <= index) await Promise.race([this.#changed.promise, Bun.sleep(waitMs)])
  }

  #wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }

  #of(key: string): Stored[] {
    return [...this.#allocations.values()].filter(({ job }) => job === key)
  }

  #wanted(key: string): Stored[] {
    return this.#of(key).filter(
      ({ placed: { desired = 'run', client = 'running' } }) =>
        desired === 'run' && (client === 'running' || client === 'pending'),
    )
  }

  #evaluation(id: string): Response {
    const found = [...this.#jobs.values()].find(({ evaluation }) => evaluation.ID === id)
    return found === undefined ? refusal(404, 'eval not found') : this.#json(found.evaluation)
  }

  #details(id: string): Response {
    const stored = this.#allocations.get(id)
    return stored === undefined ? refusal(404, 'alloc not found') : this.#json(details(stored))
  }

  #json(body: unknown): Response {
    const headers = { 'x-nomad-index': String(this.#index), 'x-nomad-knownleader': 'true' }
    return Response.json(body, { headers: { ...headers, 'x-nomad-lastcontact': '0' } })
  }
}

function refusal(status: number, text: string): Response {
  return new Response(text, { status })
}
